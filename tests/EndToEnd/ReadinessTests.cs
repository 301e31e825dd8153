using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>A worker's readiness, with the depth of its queues.</summary>
public sealed class ReadinessTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private static readonly (string Key, string? Value)[] Impatient = [("Worker__Queues__0", "default"), ("Worker__Queues__1", "never-used"), ("Worker__Slots", "2"), ("Worker__Readiness__MaxDrainTime", "00:00:10")];

    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(20) };

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        stage.Servers.All.Postgres.Process?.SignalAll(Signal.Continue);
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task A_worker_shows_the_depth_of_its_queues_and_zeros_for_those_that_nobody_has_used()
    {
        await stage.ForgetJobsAsync();
        var client = stage.Client(await stage.StartApiAsync("api", Programs.TestApi, Programs.Seams("no ReconcileDuty")));
        var worker = await stage.StartWorkerAsync("w", settings: Impatient);
        await BacklogAsync(running: 2, ready: 5);
        JsonElement report = default;
        await Waiting.UntilAsync(async () => Queue((_, report) = await AskAsync(worker), "default").GetProperty("ready").GetInt64() == 5);
        var (queue, scale) = (Queue((200, report), "default"), await client.GetScaleAsync("default"));
        Assert.Equal(["name", "ready", "running", "oldestSeconds", "slots", "busy", "drainSeconds"], queue.EnumerateObject().Select(member => member.Name));
        Assert.Equal((scale.Ready, scale.Running, 2, 0), (queue.GetProperty("ready").GetInt64(), queue.GetProperty("running").GetInt64(), queue.GetProperty("slots").GetInt32(), queue.GetProperty("busy").GetInt32()));
        Assert.Equal(scale.DrainSeconds, queue.GetProperty("drainSeconds").GetDouble());
        Assert.Equal("""{"name":"never-used","ready":0,"running":0,"oldestSeconds":0,"slots":2,"busy":0,"drainSeconds":0}""", Queue((200, report), "never-used").GetRawText());
        Assert.Equal(["consuming", "depth", "postgres", "rabbitmq"], report.GetProperty("checks").EnumerateObject().Select(check => check.Name).Order(StringComparer.Ordinal));
        Assert.All(report.GetProperty("checks").EnumerateObject(), check => Assert.True(check.Value.GetProperty("status").GetString() == "ok" && check.Value.GetProperty("seconds").GetDouble() < 1, check.ToString()));
    }

    [Fact]
    public async Task A_backlog_is_reported_always_and_fails_readiness_only_where_that_is_asked_for()
    {
        await stage.ForgetJobsAsync();
        var patient = await stage.StartWorkerAsync("patient", settings: Impatient);
        var strict = await stage.StartWorkerAsync("strict", settings: [.. Impatient, ("Worker__Readiness__FailWhenBacklogged", "true")]);
        await BacklogAsync(running: 0, ready: 400); // a second each while nothing is measured: 100 s with four slots
        await Waiting.UntilAsync(async () => Status(await AskAsync(patient)) == (200, "backlogged"));
        await Waiting.UntilAsync(async () => Status(await AskAsync(strict)) == (503, "backlogged"));
        Assert.Equal(100, Queue(await AskAsync(strict), "default").GetProperty("drainSeconds").GetDouble());

        await stage.ExecuteAsync("delete from jobs; select queuescale_recount()");
        await Waiting.UntilAsync(async () => Status(await AskAsync(patient)) == (200, "ready"));
        await Waiting.UntilAsync(async () => Status(await AskAsync(strict)) == (200, "ready"));
    }

    [Fact]
    public async Task A_draining_worker_says_so_and_is_not_ready()
    {
        await stage.ForgetJobsAsync();
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("w");
        var job = await client.SubmitAsync(Programs.Sleep(4, 1));
        await client.WaitForAsync(job.Id, j => j.State == JobState.Running);
        await Waiting.UntilAsync(async () => Queue(await AskAsync(worker), "default").GetProperty("busy").GetInt32() == 1);
        worker.Process.Signal(Signal.Terminate);
        await Waiting.UntilAsync(async () => Status(await AskAsync(worker)) == (503, "draining"));
    }

    [Fact]
    public async Task A_full_worker_is_ready_also_when_one_of_its_runs_has_just_ended()
    {
        await stage.ForgetJobsAsync();
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("w", settings: ("Worker__Slots", "2"));
        await client.SubmitBatchAsync([.. Enumerable.Range(0, 40).Select(n => Programs.Sleep(1.3 + (n % 5 * 0.1), 1))]);
        await Waiting.UntilAsync(async () => Queue(await AskAsync(worker), "default").GetProperty("busy").GetInt32() == 2);
        var answers = new List<string>();
        for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(8); await Task.Delay(20))
        {
            var answer = await AskAsync(worker);
            answers.Add($"{Status(answer)} {answer.Report.GetProperty("checks").GetProperty("consuming")}");
        }

        Assert.True(answers.Count > 50);
        Assert.DoesNotContain(answers, answer => !answer.StartsWith("(200, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_slot_is_busy_until_its_handler_returns_whatever_has_become_of_the_job()
    {
        await stage.ForgetJobsAsync();
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("w", Programs.TestWorker);
        var job = await client.SubmitAsync(new SubmitJob { Type = "test.stubborn", Input = JsonElement.Parse("""{"seconds": 6}"""), MaxAttempts = 1 });
        Assert.Equal(JobState.Failed, (await client.WaitForEndAsync(job.Id)).State);
        Assert.Equal(1, Queue(await AskAsync(worker), "default").GetProperty("busy").GetInt32());
        await Waiting.UntilAsync(async () => Queue(await AskAsync(worker), "default").GetProperty("busy").GetInt32() == 0);
    }

    [Fact]
    public async Task A_worker_that_cannot_begin_says_so_and_lives()
    {
        var worker = await stage.BeginWorkerAsync("w", settings: ("ConnectionStrings__Postgres", "Host=127.0.0.1;Port=1;Username=nobody"));
        await Waiting.UntilAsync(async () => await CodeAsync("health/live") == 200);
        Assert.Equal((503, "starting"), Status(await AskAsync(worker)));
        Assert.Equal(503, await CodeAsync("health/startup"));

        async Task<int> CodeAsync(string path)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(worker.Url, path));
                return (int)answer.StatusCode;
            }
            catch (HttpRequestException)
            {
                return 0;
            }
        }
    }

    [Fact]
    public async Task While_PostgreSQL_is_frozen_a_worker_answers_in_time_and_does_not_take_unknown_for_zero()
    {
        var worker = await stage.StartWorkerAsync("w");
        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Stop);
        await Waiting.UntilAsync(async () => (await AskAsync(worker)).Report.GetProperty("queues").GetArrayLength() == 0);
        var begun = TimeProvider.System.GetTimestamp();
        var (_, report) = await AskAsync(worker);
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 0, 2);
        Assert.Equal("failed", report.GetProperty("checks").GetProperty("depth").GetProperty("status").GetString());
        await Waiting.UntilAsync(async () => Status(await AskAsync(worker)) == (503, "disconnected"), patience: TimeSpan.FromSeconds(15));
        Assert.Equal(0, (await AskAsync(worker)).Report.GetProperty("queues").GetArrayLength());

        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Continue);
        await Waiting.UntilAsync(async () => Status(await AskAsync(worker)) == (200, "ready"), patience: TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task An_autoscaler_reads_a_backlog_that_no_worker_has_ever_served()
    {
        await stage.ForgetJobsAsync();
        await stage.ExecuteAsync("delete from job_types");
        var client = stage.Client(await stage.StartApiAsync());
        await BacklogAsync(running: 0, ready: 3200);
        Assert.Equal((3200L, 0, 0, 100.0, 2), (await client.GetScaleAsync("default")) is var scale ? (scale.Backlog, scale.Workers, scale.Slots, scale.DrainSeconds, scale.DesiredWorkers) : default);
        Assert.Equal((0L, 0.0, 0), (await client.GetScaleAsync("nobody-ever")) is var unused ? (unused.Backlog, unused.DrainSeconds, unused.DesiredWorkers) : default);
    }

    /// <summary>Jobs that nobody is told of, and runs of a worker that does not exist: they stay where they are.</summary>
    private Task BacklogAsync(int running, int ready) => stage.ExecuteAsync($"""
        insert into jobs (id, tenant, type, queue, state, max_attempts, input, at, worker)
        select gen_random_uuid(), 1, 'nobody.runs', 'default', case when n <= {running} then 2 else 1 end, 3, '{"{}"}', clock_timestamp(), gen_random_uuid() from generate_series(1, {running + ready}) n
        """);

    private async Task<(int Code, JsonElement Report)> AskAsync(HostProcess worker)
    {
        using var answer = await http.GetAsync(new Uri(worker.Url, "health/ready"));
        return ((int)answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync()));
    }

    private static (int Code, string Status) Status((int Code, JsonElement Report) answer) => (answer.Code, answer.Report.GetProperty("status").GetString()!);

    private static JsonElement Queue((int Code, JsonElement Report) answer, string name) =>
        answer.Report.GetProperty("queues").EnumerateArray().FirstOrDefault(queue => queue.GetProperty("name").GetString() == name);
}
