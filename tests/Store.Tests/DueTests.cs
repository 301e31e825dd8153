using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class DueTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task A_delayed_job_is_queued_when_its_time_has_come_and_not_before()
    {
        await using var steps = new Steps(stage);
        var soon = Steps.NewJob() with { Delay = TimeSpan.FromMilliseconds(400) };
        var later = Steps.NewJob() with { RunAt = DateTime.UtcNow.AddHours(1) };
        var past = Steps.NewJob() with { RunAt = DateTime.UtcNow.AddHours(-1) };
        var submitted = await steps.Submissions.SubmitAsync([soon, later, past]);
        Assert.Equal([JobState.Scheduled, JobState.Scheduled, JobState.Queued], submitted.Select(s => s.State));
        var due = new List<QueuedJob>();
        await Waiting.UntilAsync(async () =>
        {
            due.AddRange(await steps.Due.QueueAsync(default));
            return due.Count > 0;
        });
        Assert.Equal(soon.Id, Assert.Single(due).Id);
        Assert.True(await stage.ScalarAsync<bool>("select at >= run_at from jobs where id = $1", soon.Id));
        var figures = await steps.Fleet.QueueAsync("default", default);
        Assert.Equal((2L, 1L), (figures.Ready, figures.Waiting));
    }

    [Fact]
    public async Task Instances_that_promote_at_once_queue_each_due_job_once()
    {
        await using var steps = new Steps(stage);
        var jobs = Enumerable.Range(0, 5000).Select(_ => Steps.NewJob("crowd") with { Delay = TimeSpan.FromMilliseconds(1) }).ToArray();
        await steps.Submissions.SubmitAsync(jobs);
        var queued = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var mine = new List<Guid>();
            while (await steps.Due.QueueAsync(default) is { Count: > 0 } page)
            {
                mine.AddRange(page.Where(j => j.Queue == "crowd").Select(j => j.Id));
            }

            return mine;
        })));
        Assert.Equal(jobs.Select(j => j.Id).Order(), queued.SelectMany(q => q).Order());
    }
}
