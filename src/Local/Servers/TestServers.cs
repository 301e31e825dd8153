using System.Reflection;

namespace QueueScale.Local;

/// <summary>The servers of a test run: those that <c>./queuescale test</c> started for all projects, else own ones for this process.</summary>
public sealed class TestServers : IAsyncDisposable
{
    /// <summary>Names the run folder whose servers a test process shall use.</summary>
    public const string Variable = "QUEUESCALE_TEST_SERVERS";

    /// <summary>Names the test run's PostgreSQL (an Npgsql connection string), for tests that need nothing else.</summary>
    public const string PostgresVariable = "QUEUESCALE_TEST_POSTGRES";

    private readonly bool _owned;

    private TestServers(LocalServers servers, bool owned) => (Servers, _owned) = (servers, owned);

    /// <summary>The servers.</summary>
    public LocalServers Servers { get; }

    /// <summary>Takes the servers that the environment names; else starts own ones, which end when this is disposed.</summary>
    public static async Task<TestServers> TakeAsync(Tell? tell = null, CancellationToken cancellation = default)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path)
        {
            return await StartAsync(RunFolder.OfTests.Below(Assembly.GetEntryAssembly()?.GetName().Name ?? "alone"), tell, cancellation);
        }

        var servers = LocalServers.Of(new RunFolder(path));
        return servers.AreRunning
            ? new(servers, owned: false)
            : throw new LocalProblem($"{Variable} names {path}, but no servers run there. Unset it, or use: ./queuescale test");
    }

    /// <summary>Starts servers with empty data for the life of this process.</summary>
    public static async Task<TestServers> StartAsync(RunFolder folder, Tell? tell = null, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        if (RunFolderOwner.IsAlive(folder)) throw new LocalProblem($"Tests run in {folder} already ({RunFolderOwner.Describe(folder)}). Wait for their end.");
        await RunFolderEnd.KillAllAsync(folder);
        RunFolderEnd.DeleteData(folder);
        RunFolderEnd.DeleteLogs(folder);
        RunFolderOwner.Claim(folder);
        try
        {
            return new(await LocalServers.StartHeldAsync(folder, tell, cancellation), owned: true);
        }
        catch
        {
            await EndAsync(folder);
            throw;
        }
    }

    /// <summary>Ends them, with every process of their run folder, and deletes their data. The logs stay until the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_owned) return;
        using var held = await Servers.Folder.LockAsync();
        await EndAsync(Servers.Folder);
    }

    private static async Task EndAsync(RunFolder folder)
    {
        await RunFolderEnd.KillAllAsync(folder);
        RunFolderEnd.DeleteData(folder);
        RunFolderOwner.Release(folder);
    }
}
