using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

public sealed class ProbeTests
{
    [Fact]
    public async Task Noop_takes_and_returns_nothing()
    {
        var job = await JobHarness.For(() => new NoopProbe()).RunAsync(new NoopInput());
        Assert.Equal("{}", job.ResultJson);
    }

    [Fact]
    public async Task Sleep_goes_on_at_the_step_where_it_was_interrupted()
    {
        var job = await JobHarness.For(() => new SleepProbe()).InterruptEverywhere(new SleepInput { Seconds = 0.01, Steps = 4 });
        Assert.Equal(4, job.Result.Steps);
        Assert.Equal(["1", "2", "3", "4"], job.Checkpoints.Select(at => at.Json));
        Assert.Equal([25.0, 50, 75, 100], job.Progress.Select(progress => progress.Percent!.Value));
    }

    [Fact]
    public async Task Fail_fails_as_often_as_asked()
    {
        var harness = JobHarness.For(() => new FailProbe());
        harness.Attempt = 2;
        await Assert.ThrowsAsync<InvalidOperationException>(() => harness.RunAsync(new FailInput { Times = 2 }));
        harness.Attempt = 3;
        Assert.Equal(3, (await harness.RunAsync(new FailInput { Times = 2 })).Result.Attempt);
    }

    [Fact]
    public async Task Crash_succeeds_once_it_has_crashed_as_often_as_asked()
    {
        var harness = JobHarness.For(() => new CrashProbe());
        harness.Epoch = 3;
        Assert.Equal(3, (await harness.RunAsync(new CrashInput { Times = 2 })).Result.Run);
    }

    [Fact]
    public void Probes_are_there_only_where_asked_for()
    {
        Assert.Equal([typeof(CsvImport)], BuiltInJobs.All(probes: false));
        Assert.Equal(5, BuiltInJobs.All(probes: true).Count());
    }
}
