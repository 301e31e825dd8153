using QueueScale.Local;
using QueueScale.Store;
using Xunit;

namespace QueueScale.Tests;

/// <summary>The servers of a test run, once for each test process: those that <c>./queuescale test</c> started, else own ones. Every test class takes a fresh
/// database and a fresh vhost from them.</summary>
public sealed class Servers : IAsyncLifetime
{
    private const string Template = "qs_template";

    private static int stages;

    private TestServers? taken;

    public LocalServers All => taken!.Servers;

    public async ValueTask InitializeAsync()
    {
        taken = await TestServers.TakeAsync();
        await All.Postgres.SqlAsync($"drop database if exists {Template}");
        await All.Postgres.CreateDatabaseAsync(Template);
        await Schema.MigrateAsync(Unpooled(Template), CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (taken is not null)
        {
            await taken.DisposeAsync();
        }
    }

    /// <summary>A name that no other stage of this run has.</summary>
    public static string NewName() => $"t{Environment.ProcessId}_{Interlocked.Increment(ref stages)}";

    /// <summary>Makes a database with the present schema.</summary>
    public async Task<string> NewDatabaseAsync(string name)
    {
        await All.Postgres.CreateDatabaseAsync(name, Template);
        return All.PostgresConnectionString(name);
    }

    /// <summary>Makes an empty database.</summary>
    public async Task<string> NewEmptyDatabaseAsync(string name)
    {
        await All.Postgres.CreateDatabaseAsync(name);
        return All.PostgresConnectionString(name);
    }

    /// <summary>A template must have no connection left when it is copied.</summary>
    private string Unpooled(string database) => All.PostgresConnectionString(database) + ";Pooling=false";
}
