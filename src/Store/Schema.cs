using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace QueueScale.Store;

/// <summary>The schema of the database: brought up to date by <c>migrate</c>, only looked at by everyone else.</summary>
public static class Schema
{
    /// <summary>Any number will do, as long as every migrator takes the same.</summary>
    private const long MigratorLock = 0x5153_6d69_6772;

    private static readonly TimeSpan TurnPause = TimeSpan.FromMilliseconds(200);

    private const string History = "schema_migrations";

    /// <summary>The migrations that this program knows, in order.</summary>
    private static readonly string[] Known = ["0001_jobs", "0002_run_spans", "0003_compatibility", "0004_idempotency_keys", "0005_schedules", "0006_bulk_requests", "0007_keys", "0008_operating", "0009_cache_switch", "0010_worker_types"];

    /// <summary>Programs that know this migration and none after it still run on the present schema: during a rolling update they do. At least the version before this
    /// one must be such a program.</summary>
    private const string CompatibleFrom = "0003_compatibility";

    /// <summary>Brings the database up to date. Safe when several start at once: one works, the others wait and find nothing to do.</summary>
    /// <returns>The migrations applied.</returns>
    public static async Task<IReadOnlyList<string>> MigrateAsync(string connectionString, CancellationToken cancellation)
    {
        await using var turn = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 0 }.ConnectionString);
        await turn.OpenAsync(cancellation);
        await using (var take = new NpgsqlCommand("select pg_try_advisory_lock($1)", turn).With(MigratorLock))
        {
            // Asked again and again: an index that is made concurrently waits for every statement that is under way, and would wait for one that waits for the lock.
            while (!(bool)(await take.ExecuteScalarAsync(cancellation))!)
            {
                await Task.Delay(TurnPause, cancellation);
            }
        }

        if (await IsNewerAsync(turn, cancellation))
        {
            return []; // brought up to date by a newer version, which this one goes with
        }

        await using var context = new SchemaContext(connectionString, History);
        var pending = (await context.Database.GetPendingMigrationsAsync(cancellation)).ToArray();
        await context.Database.MigrateAsync(cancellation);
        await using var compatibility = new NpgsqlCommand("insert into schema_compatibility (compatible_from) values ($1) on conflict (one) do update set compatible_from = excluded.compatible_from", turn).With(CompatibleFrom);
        await compatibility.ExecuteNonQueryAsync(cancellation);
        return pending;
    }

    /// <summary>Makes sure that the database has the schema that this program was built for, or a newer one that it still runs on.</summary>
    /// <exception cref="SchemaMismatch">It has another one, or none.</exception>
    public static async Task CheckAsync(NpgsqlDataSource database, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnectionAsync(cancellation);
        await IsNewerAsync(connection, cancellation);
        var applied = await AppliedAsync(connection, cancellation);
        if (Known.Except(applied).ToArray() is { Length: > 0 } missing)
        {
            throw new SchemaMismatch($"The database '{connection.Database}' lacks the migration{(missing.Length > 1 ? "s" : "")} {string.Join(", ", missing)}. Run the 'migrate' command of this version first.");
        }
    }

    internal static string Script(string name)
    {
        using var stream = typeof(Schema).Assembly.GetManifestResourceStream($"{name}.sql")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <returns>Whether a newer version has migrated the database, with whose schema this one still runs.</returns>
    /// <exception cref="SchemaMismatch">It is one with which this version does not run.</exception>
    private static async Task<bool> IsNewerAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        if ((await AppliedAsync(connection, cancellation)).Except(Known).ToArray() is not { Length: > 0 } unknown)
        {
            return false;
        }

        await using var command = new NpgsqlCommand("select compatible_from from schema_compatibility", connection);
        var compatibleFrom = await command.ExecuteScalarAsync(cancellation) as string;
        return Known.Contains(compatibleFrom)
            ? true
            : throw new SchemaMismatch($"The database '{connection.Database}' has the migration{(unknown.Length > 1 ? "s" : "")} {string.Join(", ", unknown)}, which this version does not know. Install the newer version that made them.");
    }

    private static async Task<IReadOnlyList<string>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand($"""select "MigrationId" from {History} order by 1""", connection);
        try
        {
            var applied = new List<string>();
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            while (await reader.ReadAsync(cancellation))
            {
                applied.Add(reader.GetString(0));
            }

            return applied;
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return []; // an empty database
        }
    }
}

/// <summary>The database and the program do not fit together. The message is one line that says what to do.</summary>
public sealed class SchemaMismatch(string message) : Exception(message);

/// <summary>Runs the migrations; it has no model, because every statement of QueueScale is written by hand.</summary>
internal sealed class SchemaContext(string connectionString, string history) : DbContext
{
    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
        optionsBuilder.UseNpgsql(connectionString, npgsql => npgsql.MigrationsHistoryTable(history).CommandTimeout(3600));
}
