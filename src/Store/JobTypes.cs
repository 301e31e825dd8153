using Npgsql;
using NpgsqlTypes;

namespace QueueScale.Store;

/// <summary>A job type as workers register it.</summary>
public sealed record RegisteredType(string Name, string Queue, short MaxAttempts, TimeSpan? Timeout, string InputSchema, DateTime RegisteredAt = default);

/// <summary>The job types that workers have registered. The newest registration of a name counts, and outlives its worker.</summary>
public sealed class JobTypes(Database database)
{
    public async Task RegisterAsync(IEnumerable<RegisteredType> types, CancellationToken cancellation)
    {
        var sorted = types.OrderBy(t => t.Name, StringComparer.Ordinal).ToArray();
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(
            """
            insert into job_types (name, queue, max_attempts, timeout, input_schema)
            select * from unnest($1, $2, $3, $4, $5)
            on conflict (name) do update set queue = excluded.queue, max_attempts = excluded.max_attempts, timeout = excluded.timeout,
              input_schema = excluded.input_schema, registered_at = clock_timestamp()
            """, connection);
        command.WithColumn(Array.ConvertAll(sorted, t => t.Name), NpgsqlDbType.Text)
            .WithColumn(Array.ConvertAll(sorted, t => t.Queue), NpgsqlDbType.Text)
            .WithColumn(Array.ConvertAll(sorted, t => t.MaxAttempts), NpgsqlDbType.Smallint)
            .WithColumn(Array.ConvertAll(sorted, t => t.Timeout), NpgsqlDbType.Interval)
            .WithColumn(Array.ConvertAll(sorted, t => t.InputSchema), NpgsqlDbType.Jsonb);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    public async Task<IReadOnlyList<RegisteredType>> AllAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select name, queue, max_attempts, timeout, input_schema::text, registered_at from job_types order by name");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var types = new List<RegisteredType>();
        while (await reader.ReadAsync(cancellation))
        {
            types.Add(new RegisteredType(reader.GetString(0), reader.GetString(1), reader.GetInt16(2), reader.SpanOrNull(3), reader.GetString(4), reader.GetDateTime(5)));
        }

        return types;
    }
}
