using System.Diagnostics;
using System.Text.Json;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>Runs the program of one test project and prints its tests as they end.</summary>
/// <param name="project">The project.</param>
/// <param name="servers">The run folder of the servers that its tests use.</param>
/// <param name="others">Run folders that are used by tests of other projects meanwhile.</param>
/// <param name="programs">The folder of the programs that tests start; null to take them from the build's output.</param>
/// <param name="seed">Decides the order of the tests.</param>
/// <param name="timings">Takes what each part took.</param>
internal sealed class TestProcess(TestProject project, RunFolder servers, IReadOnlyList<RunFolder> others, string? programs, int seed, Timings timings)
{
    // A test that hangs must not hang the whole run.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20);

    private readonly Dictionary<string, Running> _running = []; // by unique id
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly DateTime _beganAt = DateTime.UtcNow;
    private (string Type, long At) _before = ("process-starting", Stopwatch.GetTimestamp());
    private string _class = "";
    private TestCount _count = TestCount.None;
    private bool _finished;

    /// <summary>Runs it to its end. A program that crashes, or runs nothing although nothing was filtered, counts as one failure more.</summary>
    public async Task<TestCount> RunAsync(IReadOnlyList<string> arguments, CancellationToken stop)
    {
        var info = new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf(project.Name), $":{seed}", "-noLogo", "-noColor", "-noAutoReporters", "-reporter", "json", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Checkout.Root,
        };
        info.Environment[TestServers.Variable] = servers.FullPath;
        info.Environment[TestServers.PostgresVariable] = LocalServers.Of(servers).PostgresConnectionString();
        info.Environment["QUEUESCALE_ROOT"] = Checkout.Root;
        info.Environment[Checkout.ProgramsVariable] = programs;

        using var process = Process.Start(info)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        try
        {
            await Task.WhenAll(ReadAsync(process.StandardOutput, limit.Token), ReadAsync(process.StandardError, limit.Token));
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            stop.ThrowIfCancellationRequested();
            Fail($"{project.Name} did not end within {Patience.TotalMinutes:0} minutes and was killed; {StillRunning()}");
            return _count;
        }

        if (!_finished) Fail($"{project.Name} crashed with exit code {process.ExitCode}; {StillRunning()}");
        else if (process.ExitCode != 0 && _count.Failed == 0) Fail($"{project.Name} ended with exit code {process.ExitCode} although no test failed");
        else if (_count.All == 0 && arguments.Count == 0) Fail($"{project.Name} holds no test");
        Console.Out.WriteLine($"{project.Title}: {_count.Passed} passed, {_count.Failed} failed{(_count.Skipped > 0 ? $", {_count.Skipped} skipped" : "")} in {Stopwatch.GetElapsedTime(_began).TotalSeconds:0.0} s");
        timings.Project(project.Title, Stopwatch.GetElapsedTime(_began).TotalSeconds);
        return _count;
    }

    private async Task ReadAsync(StreamReader lines, CancellationToken stop)
    {
        while (await lines.ReadLineAsync(stop) is { } line)
        {
            lock (_running)
            {
                if (line.StartsWith("{\"$type\":", StringComparison.Ordinal)) Take(line);
                else if (line.Length > 0) Console.Out.WriteLine($"      {line}");
            }
        }
    }

    private void Take(string line)
    {
        using var parsed = JsonDocument.Parse(string.Concat(line.Select(c => c < ' ' ? '\uFFFD' : c))); // a failure that quotes a terminal's colours comes as it is
        var message = parsed.RootElement;
        var type = message.GetProperty("$type").GetString()!;
        TimeFixture(type, message);
        switch (type)
        {
            case "test-starting":
                _running[Text(message, "TestUniqueID")] = new(Text(message, "TestDisplayName"), DateTime.UtcNow);
                break;
            case "test-assembly-finished":
                _finished = true;
                break;
            case "test-passed":
                _count += new TestCount(1, [], 0);
                Print("ok  ", message);
                break;
            case "test-not-run":
                _running.Remove(Text(message, "TestUniqueID"));
                break;
            case "test-skipped":
                _count += new TestCount(0, [], 1);
                Print("skip", message, Text(message, "Reason"));
                break;
            case "test-failed":
                Fail(message);
                break;
            // Something outside of the tests themselves: a fixture's end, the discovery.
            case var other when other == "error-message" || other?.EndsWith("-cleanup-failure", StringComparison.Ordinal) == true:
                Fail($"{other} {_class}\n{Exception(message)}");
                break;
        }
    }

    // Between these two messages xunit makes or disposes of what the tests in between share.
    private void TimeFixture(string type, JsonElement message)
    {
        if (type == "test-class-starting") _class = Text(message, "TestClassSimpleName");
        var (before, at) = _before;
        _before = (type, Stopwatch.GetTimestamp());
        var what = (before, type) switch
        {
            ("process-starting", _) => "start of the program",
            ("test-assembly-starting", _) => "start of the assembly's fixtures",
            ("test-collection-starting", _) or ("test-class-starting", _) => $"start of the fixtures of {_class}",
            (_, "test-class-finished") or (_, "test-collection-finished") => $"end of the fixtures of {_class}",
            (_, "test-assembly-finished") => "end of the assembly's fixtures",
            _ => null,
        };
        if (what is not null) timings.Fixture($"{project.Title}  {what}", Stopwatch.GetElapsedTime(at).TotalSeconds);
    }

    private string Print(string how, JsonElement message, string? more = null)
    {
        _running.Remove(Text(message, "TestUniqueID"), out var test);
        var (sentence, seconds) = (Sentence(test?.DisplayName ?? Text(message, "TestUniqueID")), message.GetProperty("ExecutionTime").GetDouble());
        timings.Test($"{project.Title}  {sentence}", seconds);
        return Print($"  {how}  {project.Title}  {sentence} ({seconds:0.00} s){Indented(more)}");
    }

    private static string Print(string text)
    {
        Console.Out.WriteLine(text);
        return text;
    }

    private void Fail(JsonElement message)
    {
        var test = _running.GetValueOrDefault(Text(message, "TestUniqueID"));
        Add(Print("FAIL", message, Exception(message)), test?.BeganAt ?? _beganAt, test is null ? "" : $" -method \"{test.Method}\"");
    }

    private void Fail(string why) => Add(Print($"  FAIL  {project.Title}  {Indented(why).TrimStart()}"), _beganAt, "");

    private void Add(string text, DateTime since, string filter)
    {
        var repeat = $"./queuescale test --only {project.Title} --seed {seed}{(filter.Length > 0 ? $" --{filter}" : "")}";
        _count += new TestCount(0, [new(text, TestLogs.WrittenSince(since, RunFolder.OfCheckout, others), repeat)], 0);
    }

    private string StillRunning() => _running.Count == 0 ? "no test was running" : $"running were: {string.Join("; ", _running.Values.Select(test => Sentence(test.DisplayName)))}";

    private static string Indented(string? text) => string.IsNullOrEmpty(text) ? "" : "\n        " + text.ReplaceLineEndings("\n        ");

    // "QueueScale.Tests.Claims.A_late_worker_changes_nothing(times: 3)" reads "Claims: A late worker changes nothing(times: 3)".
    private static string Sentence(string displayName)
    {
        var arguments = displayName.IndexOf('(', StringComparison.Ordinal);
        var end = arguments < 0 ? displayName.Length : arguments;
        return displayName[..end].Split('.') is [.., var type, var method] ? $"{type}: {method.Replace('_', ' ')}{displayName[end..]}" : displayName;
    }

    private static string Exception(JsonElement message)
    {
        var texts = Strings(message, "Messages");
        var traces = Strings(message, "StackTraces").SelectMany(trace => trace.Split('\n')).Where(line => line.Contains(Checkout.Root, StringComparison.Ordinal));
        return string.Join('\n', [.. texts, .. traces.Select(line => line.Replace(Checkout.Root + "/", "", StringComparison.Ordinal).Trim())]);
    }

    private static string Text(JsonElement message, string name) => message.TryGetProperty(name, out var value) ? value.ToString() : "";

    private static IEnumerable<string> Strings(JsonElement message, string name) =>
        message.TryGetProperty(name, out var values) && values.ValueKind == JsonValueKind.Array ? values.EnumerateArray().Select(value => value.ToString()) : [];

    /// <summary>A test that has begun and not ended.</summary>
    private sealed record Running(string DisplayName, DateTime BeganAt)
    {
        /// <summary>Its class and method, without the arguments of a theory.</summary>
        public string Method => DisplayName.Split('(')[0];
    }
}
