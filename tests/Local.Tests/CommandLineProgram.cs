using System.Diagnostics;
using System.Text.Json;

namespace QueueScale.Local.Tests;

/// <summary>The command line as a program, on one run folder.</summary>
internal sealed class CommandLineProgram(RunFolder folder)
{
    /// <summary>What would lead a command to another system than the folder's.</summary>
    private static readonly string[] OtherSystems = ["QUEUESCALE_URL", "QUEUESCALE_KEY", "ConnectionStrings__Postgres"];

    /// <summary>Starts it with all three streams redirected.</summary>
    public Process Begin(params IEnumerable<string> arguments) => Process.Start(Start(Dotnet.Host, [Checkout.ProgramOf("QueueScale.Cli"), .. arguments]))!;

    /// <summary>Runs it to its end, with nothing to read.</summary>
    public Task<Ended> RunAsync(params IEnumerable<string> arguments) => RunOnAsync("", arguments);

    /// <summary>Runs it to its end.</summary>
    /// <param name="input">What it finds at its standard input.</param>
    /// <param name="arguments">Its arguments.</param>
    public async Task<Ended> RunOnAsync(string input, params IEnumerable<string> arguments)
    {
        using var process = Begin(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return new Ended(string.Join(' ', arguments), process.ExitCode, await output, await error);
    }

    /// <summary>Runs a command that must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> OutputAsync(params IEnumerable<string> arguments) => (await RunAsync(arguments)).With(0).Output;

    /// <summary>Runs a command that must succeed and print one line of JSON.</summary>
    public async Task<JsonElement> JsonAsync(params IEnumerable<string> arguments) => (await RunAsync(arguments)).With(0).Json;

    /// <summary>How a program is started that talks to the folder's system.</summary>
    public ProcessStartInfo Start(string program, params IEnumerable<string> arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var other in OtherSystems) info.Environment.Remove(other);
        info.Environment["QUEUESCALE_ROOT"] = Checkout.Root;
        info.Environment["QUEUESCALE_RUN"] = folder.FullPath;
        info.Environment["TERM"] = "xterm-256color";
        return info;
    }
}

/// <summary>A command that has ended.</summary>
/// <param name="What">Its arguments.</param>
/// <param name="Code">Its exit code.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Error">What it said at its error output.</param>
internal sealed record Ended(string What, int Code, string Output, string Error)
{
    /// <summary>The one line of JSON that it printed.</summary>
    public JsonElement Json => JsonElement.Parse(Assert.Single(Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)));

    /// <summary>Asserts the exit code.</summary>
    public Ended With(int code)
    {
        Assert.True(Code == code, $"{What} ended with {Code}, not {code}: {Error}{Output}");
        return this;
    }
}
