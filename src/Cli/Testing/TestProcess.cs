using System.Diagnostics;
using System.Text.Json;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>Runs the program of one test project and prints its tests as they end.</summary>
internal sealed class TestProcess(TestProject project, RunFolder servers)
{
    // A test that hangs must not hang the whole run.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20);

    private readonly Dictionary<string, string> _running = []; // display names by unique id
    private TestCount _count = TestCount.None;
    private bool _finished;

    /// <summary>Runs it to its end. A program that crashes, or runs nothing although nothing was filtered, counts as one failure more.</summary>
    public async Task<TestCount> RunAsync(IReadOnlyList<string> arguments, CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var info = new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf(project.Name), "-noLogo", "-noColor", "-noAutoReporters", "-reporter", "json", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Checkout.Root,
        };
        info.Environment[TestServers.Variable] = servers.FullPath;
        info.Environment[TestServers.PostgresVariable] = LocalServers.Of(servers).PostgresConnectionString();
        info.Environment["QUEUESCALE_ROOT"] = Checkout.Root;

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
        Console.Out.WriteLine($"{project.Title}: {_count.Passed} passed, {_count.Failed} failed{(_count.Skipped > 0 ? $", {_count.Skipped} skipped" : "")} in {clock.Elapsed.TotalSeconds:0.0} s");
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
        switch (message.GetProperty("$type").GetString())
        {
            case "test-starting":
                _running[Text(message, "TestUniqueID")] = Sentence(Text(message, "TestDisplayName"));
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
                _count += new TestCount(0, [Print("FAIL", message, Exception(message))], 0);
                break;
            // Something outside of the tests themselves: a fixture's end, the discovery.
            case var other when other == "error-message" || other?.EndsWith("-cleanup-failure", StringComparison.Ordinal) == true:
                Fail($"{other}\n{Exception(message)}");
                break;
        }
    }

    private string Print(string how, JsonElement message, string? more = null)
    {
        _running.Remove(Text(message, "TestUniqueID"), out var sentence);
        return Print($"  {how}  {project.Title}  {sentence} ({message.GetProperty("ExecutionTime").GetDouble():0.00} s){Indented(more)}");
    }

    private static string Print(string text)
    {
        Console.Out.WriteLine(text);
        return text;
    }

    private void Fail(string why) => _count += new TestCount(0, [Print($"  FAIL  {project.Title}  {Indented(why).TrimStart()}")], 0);

    private string StillRunning() => _running.Count == 0 ? "no test was running" : $"running were: {string.Join("; ", _running.Values)}";

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
}
