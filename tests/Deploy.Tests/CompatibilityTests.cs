namespace QueueScale.Tests;

/// <summary>The version before this one and this one, side by side on one database: an update under load, and the way back.</summary>
public sealed class CompatibilityTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task Old_and_new_run_side_by_side_during_an_update_and_on_the_way_back()
    {
        var old = await PreviousAsync();
        var database = ("ConnectionStrings__Postgres", (string?)await stage.Servers.NewEmptyDatabaseAsync(Servers.NewName()));
        await RunAsync(database, Dotnet.Host, old.Api, "migrate");
        var oldApi = await stage.StartApiAsync("api-old", old.Api, database);
        var oldWorker = await stage.StartWorkerAsync("worker-old", old.Worker, database);
        var one = stage.Client(oldApi);
        await Waiting.UntilAsync(() => KnowsAsync(one, "probe.noop")); // it reads the types every second
        await using var oldCaller = new Caller(oldApi.Url, 50);

        // The update: the schema first, under load, by two at once.
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => RunAsync(database, Dotnet.Host, Checkout.ProgramOf(HostProcess.Api), "migrate")));
        var newApi = await stage.StartApiAsync("api-new", settings: database);
        var other = stage.Client(newApi);
        await using var newCaller = new Caller(newApi.Url, 50);
        var newWorker = await stage.StartWorkerAsync("worker-new", settings: database);
        var job = await RunningElsewhereAsync(other, newWorker); // submitted to the new API, run by the old worker
        await HandedOverAsync(other, job, oldWorker, "worker-new");

        // The way back: what the new ones wrote, the old ones read.
        oldWorker = await stage.StartWorkerAsync("worker-old-again", old.Worker, database);
        job = await RunningElsewhereAsync(one, oldWorker);
        await HandedOverAsync(one, job, newWorker, "worker-old-again");

        foreach (var caller in new[] { oldCaller, newCaller })
        {
            await caller.StopAsync();
            Assert.True(caller.Failures.Count == 0, string.Join('\n', caller.Failures));
            Assert.NotEmpty(caller.Accepted);
        }

        foreach (var id in oldCaller.Accepted.Concat(newCaller.Accepted))
        {
            Assert.Equal(JobState.Succeeded, (await one.WaitForEndAsync(id)).State);
        }
    }

    private static SubmitJob Sleep => new() { Type = "probe.sleep", Input = System.Text.Json.JsonElement.Parse("""{"seconds": 10, "steps": 100}""") };

    private static async Task<bool> KnowsAsync(QueueScaleClient api, string type)
    {
        try
        {
            await api.SubmitAsync(new SubmitJob { Type = type });
            return true;
        }
        catch (QueueScaleException refused) when (refused.Status == 422)
        {
            return false;
        }
    }

    /// <summary>Submits jobs while one worker is frozen, for less than its lease, and returns one that another worker runs: a start of a worker may take longer than the job.</summary>
    private static async Task<Guid> RunningElsewhereAsync(QueueScaleClient client, HostProcess frozen)
    {
        frozen.Process.Signal(Signal.Stop);
        try
        {
            // Each worker is offered some of them.
            var jobs = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ => (await client.SubmitAsync(Sleep)).Id));
            Guid? running = null;
            await Waiting.UntilAsync(async () =>
            {
                foreach (var job in jobs)
                {
                    if ((await client.GetJobAsync(job)).Progress?.Done >= 10) running = job;
                }

                return running is not null;
            });
            return running!.Value;
        }
        finally
        {
            frozen.Process.Signal(Signal.Continue);
        }
    }

    private static async Task HandedOverAsync(QueueScaleClient client, Guid job, HostProcess from, string to)
    {
        from.Process.Signal(Signal.Terminate);
        Assert.Equal(0, await from.Process.WaitForExitAsync());
        var end = await client.WaitForEndAsync(job);
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal((JobState.Succeeded, 1, 0), (end.State, end.Interruptions, end.Crashes));
        Assert.EndsWith(to, runs[^1].Worker, StringComparison.Ordinal);
        Assert.True(runs[^1].FromCheckpoint >= 10, $"It went on from {runs[^1].FromCheckpoint}.");
    }

    /// <summary>The programs of the commit that is named; built once for each commit.</summary>
    private static async Task<(string Api, string Worker)> PreviousAsync()
    {
        var commit = (await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "tests", "Compat", "PREVIOUS"))).Trim();
        var place = Path.Combine(Checkout.Root, "artifacts", "compat", commit);
        if (!File.Exists(Path.Combine(place, "done")))
        {
            Assert.SkipUnless(await SucceedsAsync("git", "-C", Checkout.Root, "cat-file", "-e", $"{commit}^{{commit}}"), $"The commit {commit} is not in this clone (tests/Compat/PREVIOUS). git fetch --unshallow brings it.");
            Directory.CreateDirectory(place);
            await RunAsync(null, "sh", "-c", $"git -C '{Checkout.Root}' archive {commit} | tar -x -C '{place}'");
            await RunAsync(null, Dotnet.Host, "build", Path.Combine(place, "src", "Api"), "-c", "Release", "--nologo", "-v", "quiet", "--disable-build-servers", "-p:RunAnalyzers=false");
            await RunAsync(null, Dotnet.Host, "build", Path.Combine(place, "src", "Worker"), "-c", "Release", "--nologo", "-v", "quiet", "--disable-build-servers", "-p:RunAnalyzers=false");
            await File.WriteAllTextAsync(Path.Combine(place, "done"), "");
        }

        return (Program(HostProcess.Api), Program(HostProcess.Worker));

        string Program(string project) => Path.Combine(place, "artifacts", "bin", project, "release", $"{project}.dll");
    }

    private static async Task RunAsync((string Key, string? Value)? setting, params string[] line)
    {
        var command = await ProgramRun.RunAsync(line, setting is var (key, value) ? new Dictionary<string, string?> { [key] = value } : null);
        Assert.True(command.Succeeded, $"{string.Join(' ', line)}: {command.Output}{command.Error}");
    }

    private static async Task<bool> SucceedsAsync(params string[] line)
    {
        try
        {
            return (await ProgramRun.RunAsync(line)).Succeeded;
        }
        catch (LocalProblem)
        {
            return false; // no such program
        }
    }
}
