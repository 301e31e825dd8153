using System.CommandLine;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using QueueScale.Cli.Demo;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;
using QueueScale.Local;
using Spectre.Console;

namespace QueueScale.Cli.Commands;

/// <summary><c>demo</c>: a real file is imported by one worker, that worker is stopped half-way, another goes on from its checkpoint, and every row is there once.</summary>
internal static class DemoCommand
{
    private const int Rows = 1_000_000;
    private const string Table = "demo";

    /// <summary>Where the worker is stopped, in percent.</summary>
    private const double HalfWay = 50;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    public static Command Create()
    {
        var file = new Argument<FileInfo?>("FILE.csv") { Description = "The file to import: UTF-8, commas, a header. Default: 1,000,000 made-up orders.", Arity = ArgumentArity.ZeroOrOne };
        var kill = new Option<bool>("--kill") { Description = "Stop the worker with kill -9 instead of SIGTERM." };
        var json = Print.JsonOption();
        var command = new Command("demo", "Import a file, stop the worker half-way, watch another go on, check every row.") { file, kill, json };
        command.SetAction((parsed, stop) => RunAsync(parsed.GetValue(file), parsed.GetValue(kill), parsed.GetValue(json), stop));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? file, bool kill, bool json, CancellationToken stop)
    {
        if (file is { Exists: false })
        {
            throw new UsageProblem($"There is no file {file.FullName}.");
        }

        await using var content = file is null ? null : Open(file); // before anything is started for it
        var tell = Print.Steps(json);
        var system = new LocalSystem(RunFolder.OfCheckout);
        var info = await system.UpAsync(Math.Max(2, system.Find()?.Workers.Count ?? 2), tell, cancellation: stop);
        using var client = new QueueScaleClient(new Uri(info.Api), info.Key);
        await EarlierDemos.EndAsync(client, tell, stop);
        var name = content is null ? await MakeFileAsync(info.DataRoot, tell, stop) : await PutFileAsync(content, info.DataRoot, tell, stop);
        var expected = FileTruth.OfAsync(Path.Combine(info.DataRoot, name));

        await TableTruth.DropAsync(info.Postgres, Table, stop);
        if (kill)
        {
            await UntilDeathsAreSeenAsync(info, tell, stop);
        }

        var clock = Stopwatch.StartNew();
        var submitted = await client.SubmitAsync(
            new SubmitJob { Type = "csv.import", Input = JsonSerializer.SerializeToElement(new { source = $"file:{name}", table = Table }), Tags = [EarlierDemos.Tag] }, stop);
        tell("csv.import", $"submitted as {submitted.Id}");
        var snapshots = InterruptedAsync(JobWatch.FollowAsync(client, submitted.Id, Pause, stop), kill ? Signal.Kill : Signal.Terminate, info, json, stop);
        var job = json ? await JobWatch.EndOfAsync(snapshots) : await JobProgressBar.ShowAsync(snapshots);
        var seconds = (job.FinishedAt!.Value - job.CreatedAt).TotalSeconds;

        var runs = (await client.GetRunsAsync(submitted.Id, stop)).Items;
        var handovers = runs.Where(run => run.HandoverSeconds is not null).ToArray();
        tell("check", "counting the rows of the file and of the table");
        var truth = await expected;
        var found = job.State == JobState.Succeeded ? await TableTruth.OfAsync(info.Postgres, Table, stop) : new TableTruth(0, 0);
        var result = new DemoResult(
            Print.Word(job.State), found.Rows, truth.Rows, found.Rows == truth.Rows && found.Checksum == truth.Checksum,
            handovers.Length, handovers.FirstOrDefault()?.HandoverSeconds, [.. runs.Select(run => run.Worker)], Math.Round(seconds, 3));
        await system.UpAsync(tell: tell, cancellation: stop); // the worker that was stopped comes back

        var problem = Problem(job, result);
        if (json)
        {
            Print.Json(result with { Error = problem });
        }
        else
        {
            PrintResult(result, runs, job, clock.Elapsed);
        }

        return problem is null ? 0 : CommandLine.Refuse(problem);
    }

    /// <summary>An API takes nobody for dead before it has watched for a whole lease: after a restart every sign of life is old.</summary>
    private static async Task UntilDeathsAreSeenAsync(SystemInfo info, Tell tell, CancellationToken stop)
    {
        var lease = TimeSpan.FromSeconds(11);
        var age = DateTime.UtcNow - info.Apis.Select(api => Process.GetProcessById(api.Pid).StartTime.ToUniversalTime()).Min();
        if (age < lease)
        {
            tell("kill -9", $"in {(lease - age).TotalSeconds:0} s: a new API watches for a lease before it takes a worker for dead");
            await Task.Delay(lease - age, stop);
        }
    }

    private static FileStream Open(FileInfo file)
    {
        try
        {
            return file.OpenRead();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageProblem($"{file.FullName} cannot be read: {error.Message} Name another file, or let this user read it (chmod +r).");
        }
    }

    /// <summary>Makes up a file below the data root and answers its name there.</summary>
    private static async Task<string> MakeFileAsync(string dataRoot, Tell tell, CancellationToken stop)
    {
        var name = $"orders-{Rows}.csv";
        var clock = Stopwatch.StartNew();
        Directory.CreateDirectory(dataRoot);
        await OrdersFile.WriteAsync(Path.Combine(dataRoot, name), Rows, stop);
        tell("file", $"{Print.Number(Rows)} made-up orders in {Path.Combine(dataRoot, name)} ({clock.Elapsed.TotalSeconds:0.0} s)");
        return name;
    }

    /// <summary>Puts the file below the data root, unless it is the one that is there, and answers its name there.</summary>
    private static async Task<string> PutFileAsync(FileStream content, string dataRoot, Tell tell, CancellationToken stop)
    {
        const string name = "demo.csv";
        var path = Path.Combine(dataRoot, name);
        if (content.Name != path)
        {
            try
            {
                Directory.CreateDirectory(dataRoot);
                await using (var copy = File.Create(path + ".next")) // not over one that the given path may lead to by a link
                {
                    await content.CopyToAsync(copy, stop);
                }

                File.Move(path + ".next", path, overwrite: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new LocalProblem($"{content.Name} cannot be copied to {path}, where the workers read it: {error.Message}", error);
            }
        }

        tell("file", $"{content.Name}, {new FileInfo(path).Length / 1e6:0.0} MB");
        return name;
    }

    /// <summary>Passes the job's snapshots on, and stops the worker that runs it as soon as one shows it half-way.</summary>
    private static async IAsyncEnumerable<JobSnapshot> InterruptedAsync(
        IAsyncEnumerable<JobSnapshot> snapshots, Signal signal, SystemInfo info, bool json, [EnumeratorCancellation] CancellationToken stop)
    {
        var stopped = false;
        await foreach (var now in snapshots.WithCancellation(stop))
        {
            if (!stopped && now is { Current: { } run, Job.Progress.Percent: >= HalfWay and var percent } && info.Workers.FirstOrDefault(worker => worker.Name == run.Worker) is { } worker)
            {
                stopped = true;
                LocalProcess.Find(RunFolder.OfCheckout, worker.Name)?.Signal(signal);
                var said = $"{(signal == Signal.Kill ? "kill -9" : "SIGTERM")} to {worker.Name} at {percent:0} %";
                if (json)
                {
                    Console.Error.WriteLine(said);
                }
                else
                {
                    AnsiConsole.MarkupLineInterpolated($"[yellow]{said}[/]");
                }
            }

            yield return now;
        }
    }

    private static void PrintResult(DemoResult result, IReadOnlyList<Run> runs, Job job, TimeSpan took)
    {
        foreach (var run in runs)
        {
            var began = run.HandoverSeconds is { } handover ? $"went on from checkpoint {run.FromCheckpoint}, {handover:0.00} s after the reason of the hand-over" : "began";
            Console.Out.WriteLine($"  run {run.Epoch}: {run.Worker} {began}; {Print.Word(run.How ?? RunEnding.Succeeded)} after {((run.EndedAt ?? job.FinishedAt!.Value) - run.StartedAt).TotalSeconds:0.0} s");
        }

        Console.Out.WriteLine($"  rows: {Print.Number(result.Rows)} in the table, {Print.Number(result.ExpectedRows)} in the file; checksum {(result.ChecksumOk ? "the same" : "DIFFERENT")}");
        Console.Out.WriteLine($"  {result.Seconds:0.0} s for the import, {took.TotalSeconds:0.0} s with the check");
        Console.Out.WriteLine();
        Console.Out.WriteLine($"Look at it:   ./queuescale jobs    ./queuescale workers    ./queuescale watch {job.Id}");
        Console.Out.WriteLine("Go on:        ./queuescale demo --kill    docs/how-to/write-a-job.md    README.md");
        Console.Out.WriteLine("End it:       ./queuescale down    (with --wipe the data goes too)");
    }

    /// <summary>The one line that says why the demo did not show what it is to show; null when it did.</summary>
    private static string? Problem(Job job, DemoResult result) =>
        job.State == JobState.Cancelled ? "The import was cancelled, as a demo that begins does with the one before it. Run one at a time."
        : job.State != JobState.Succeeded ? $"The import ended as {result.State}: {job.Error?.Message}"
        : result.Handovers == 0 ? $"The file was imported before half of it could be caught; nothing was handed over. Take a larger file than {Print.Number(result.ExpectedRows)} rows."
        : result.Rows != result.ExpectedRows ? $"The table has {Print.Number(result.Rows)} rows, the file {Print.Number(result.ExpectedRows)}."
        : result.ChecksumOk ? null
        : "The table has as many rows as the file, but not the same ones.";
}
