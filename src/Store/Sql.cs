using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>Short forms for positional parameters and nullable columns.</summary>
internal static class Sql
{
    public static NpgsqlCommand With(this NpgsqlCommand command, object? value, NpgsqlDbType type)
    {
        command.Parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value, NpgsqlDbType = type });
        return command;
    }

    public static NpgsqlCommand With<T>(this NpgsqlCommand command, T value)
    {
        command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
        return command;
    }

    /// <summary>A column of a batch: one value an item, cast to the element type.</summary>
    public static NpgsqlCommand WithColumn<T>(this NpgsqlCommand command, T[] values, NpgsqlDbType element)
    {
        command.Parameters.Add(new NpgsqlParameter<T[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | element });
        return command;
    }

    /// <summary>Two columns: the jobs of a wake-up and their dispatches.</summary>
    public static NpgsqlCommand WithJobs(this NpgsqlCommand command, IReadOnlyList<ReadyJob> jobs) => command
        .WithColumn(jobs.Select(j => j.Id).ToArray(), NpgsqlDbType.Uuid)
        .WithColumn(jobs.Select(j => j.Dispatch).ToArray(), NpgsqlDbType.Integer);

    /// <summary>Prepares a statement on its connection, where that was not done before, and runs it.</summary>
    /// <remarks>Not left to Npgsql's automatic preparation: a statement whose first parameters PostgreSQL refuses is then remembered without its columns, and what it
    /// answers the next time is lost or breaks the connection (npgsql/npgsql#6391, seen with 10.0.0 and open in 10.0.3).</remarks>
    public static async Task<NpgsqlDataReader> ReadPreparedAsync(this NpgsqlCommand command, CancellationToken cancellation)
    {
        await command.PrepareAsync(cancellation);
        return await command.ExecuteReaderAsync(cancellation);
    }

    /// <summary>Reads columns 0 to 7: id, dispatch, type, queue, lane, turn, at, whether its lane is open.</summary>
    public static QueuedJob QueuedJob(this NpgsqlDataReader reader) => new(reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2), reader.GetString(3),
        reader.GetInt16(4), reader.GetInt32(5), reader.GetDateTime(6), reader.GetBoolean(7));

    /// <summary>Runs a statement that returns <see cref="QueuedJob"/>'s columns and the state, and keeps those that are queued.</summary>
    public static async Task<IReadOnlyList<QueuedJob>> QueuedJobsAsync(this NpgsqlCommand command, CancellationToken cancellation)
    {
        var queued = new List<QueuedJob>();
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            if ((JobState)reader.GetInt16(8) == JobState.Queued)
            {
                queued.Add(reader.QueuedJob());
            }
        }

        return queued;
    }

    /// <summary>An ending as table <c>runs</c> and the API write it.</summary>
    public static string Text(this RunEnding how) => JsonNamingPolicy.CamelCase.ConvertName(how.ToString());

    public static string? TextOrNull(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static DateTime? TimeOrNull(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetDateTime(column);

    public static TimeSpan? SpanOrNull(this NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetTimeSpan(column);
}
