using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>Job classes of somebody else, in a program that only references the packages.</summary>
public sealed class OwnWorkerTests(Stage stage, BuiltSample sample) : IClassFixture<Stage>, IAsyncDisposable
{
    private const string Line = "Tell me, O muse, of that ingenious hero";

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("texts");
    private readonly List<HostProcess> workers = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in workers)
        {
            await worker.Process.KillAsync();
        }

        await stage.StopAllAsync();
        root.Delete(recursive: true);
    }

    [Fact]
    public void The_sample_compiles_against_the_packages_without_a_warning() => Assert.Contains(" 0 Warning(s)", sample.BuildOutput, StringComparison.Ordinal);

    [Fact]
    public async Task Its_own_unit_tests_are_green()
    {
        var (exitCode, output) = await Sdk.RunAsync([BuiltSample.ProgramOf("OwnWorker.Tests"), "-noColor"], ("TEST_POSTGRES", stage.Postgres));
        Assert.True(exitCode == 0, output);
        Assert.Contains(" Errors: 0, Failed: 0, Skipped: 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_job_runs_through_HTTP_and_goes_on_at_its_checkpoint_when_its_worker_gets_SIGTERM()
    {
        const int Texts = 4000;
        Write("odyssey", Texts);
        var client = stage.Client(await stage.StartApiAsync());
        var first = await StartAsync("own-1");

        var job = (await client.SubmitAsync(Job("words.count", new { folder = "odyssey", minLength = 3 }))).Id;
        await client.WaitForAsync(job, j => j.Progress?.Done >= Texts / 4);
        first.Process.Signal(Signal.Terminate);
        Assert.Equal(0, await first.Process.WaitForExitAsync());
        Assert.Equal(JobState.Queued, (await client.GetJobAsync(job)).State);
        await StartAsync("own-2");

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1, 1), (end.State, end.Attempt, end.Interruptions));
        Assert.Equal($$"""{"texts":{{Texts}},"words":{{Texts * 5}}}""", end.Result!.Value.GetRawText());
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal(["own-1", "own-2"], runs.Select(run => run.Worker));
        Assert.InRange(runs[1].FromCheckpoint, Texts / 4, Texts - 1);
    }

    [Fact]
    public async Task Its_transactional_checkpoints_take_effect_exactly_once_although_its_worker_is_killed()
    {
        const int Texts = 500;
        Write("iliad", Texts);
        await stage.ExecuteAsync("create table word_counts (word text primary key, count bigint not null)");
        var client = stage.Client(await stage.StartApiAsync());
        var first = await StartAsync("own-1");
        var job = (await client.SubmitAsync(Job("words.index", new { folder = "iliad" }))).Id;
        await client.WaitForAsync(job, j => j.Progress?.Done >= Texts / 4);
        first.Process.Signal(Signal.Kill);
        await first.Process.WaitForExitAsync();
        await StartAsync("own-2");

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1), (end.State, end.Crashes));
        Assert.Equal(
            new[] { "hero", "ingenious", "me", "muse", "o", "of", "tell", "that" }.Select(word => $"{word} {Texts}"),
            await stage.QueryAsync<string>("select word || ' ' || count from word_counts order by word collate \"C\""));
    }

    [Fact]
    public async Task An_input_is_held_against_the_attributes_of_its_record_before_it_is_accepted()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await StartAsync("own-1");
        var refused = await Assert.ThrowsAsync<QueueScaleException>(() => client.SubmitAsync(Job("words.count", new { folder = "", minLength = 0, colour = "red" })));
        Assert.Equal(422, refused.Status);
        Assert.Equal(["/input/colour", "/input/folder", "/input/minLength"], refused.Errors.Keys.Order(StringComparer.Ordinal));
    }

    private static SubmitJob Job(string type, object input) => new() { Type = type, Input = JsonSerializer.SerializeToElement(input) };

    private void Write(string folder, int texts)
    {
        var path = root.CreateSubdirectory(folder).FullName;
        for (var text = 0; text < texts; text++)
        {
            File.WriteAllText(Path.Combine(path, $"{text:0000}.txt"), Line);
        }
    }

    private async Task<HostProcess> StartAsync(string name)
    {
        var settings = HostSettings.Of(stage.Postgres, stage.RabbitMq);
        settings["Worker__Name"] = name;
        settings["Texts__Root"] = root.FullName;
        var worker = await HostProcess.StartAsync(stage.Folder, $"{stage.Vhost}-{Guid.NewGuid():N}", BuiltSample.ProgramOf("OwnWorker"), settings);
        workers.Add(worker);
        await worker.WaitUntilReadyAsync();
        return worker;
    }
}
