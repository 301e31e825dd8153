using System.Diagnostics;

namespace QueueScale.Driver.Tests;

/// <summary>Servers that nobody else uses, to be broken, and the programs to break them with.</summary>
public sealed class OwnServers : IAsyncLifetime
{
    private TestServers? _taken;

    public LocalServers All => _taken!.Servers;

    public RunFolder Folder => All.Folder;

    public async ValueTask InitializeAsync()
    {
        _taken = await TestServers.StartAsync(RunFolder.OfTests.Below("driver"));
        await FaultPrograms.EnsureAsync(Folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (_taken is not null) await _taken.DisposeAsync();
    }

    /// <summary>Starts the test probe.</summary>
    public Task<LocalProcess> ProbeAsync(IReadOnlyList<string> prefix, IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        IReadOnlyList<string> line = [.. prefix, Dotnet.Host, Checkout.ProgramOf("QueueScale.TestProbe"), .. arguments];
        return LocalProcess.StartAsync(Folder, new ProgramStart("probe", line[0], [.. line.Skip(1)]) { Environment = environment });
    }
}

internal static class Waiting
{
    public static Task UntilAsync(Func<bool> condition, Func<string>? otherwise = null, double seconds = 20) => UntilAsync(() => Task.FromResult(condition()), otherwise, seconds);

    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? otherwise = null, double seconds = 20)
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(20))
        {
            if (clock.Elapsed.TotalSeconds > seconds) Assert.Fail($"Not within {seconds} s: {otherwise?.Invoke()}");
        }
    }

    /// <summary>What this machine does not let us do cannot be tested on it; what is not installed can be, and is no excuse.</summary>
    public static async Task<T> OrSkipAsync<T>(this Task<T> making)
    {
        try
        {
            return await making;
        }
        catch (MissingPrivilege problem)
        {
            Assert.Skip(problem.Message);
            throw;
        }
    }
}
