using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>What a fenced statement's missing rows mean.</summary>
internal static class Fence
{
    /// <summary>Runs a fenced statement that returns <c>id, state</c> of the rows it moved, and answers in the order of <paramref name="items"/>. A
    /// missing row was lost to another run, unless the job stands in one of <paramref name="mine"/> under the same epoch: then an earlier, unanswered
    /// try of this statement moved it.</summary>
    public static async Task<JobState?[]> AnswersAsync<T>(NpgsqlCommand command, IReadOnlyList<T> items, Func<T, int> epoch, JobState[] mine, CancellationToken cancellation)
        where T : IBatchItem
    {
        var moved = new Dictionary<Guid, JobState>(items.Count);
        await using (var reader = await command.ReadPreparedAsync(cancellation))
        {
            while (await reader.ReadAsync(cancellation))
            {
                moved[reader.GetGuid(0)] = (JobState)reader.GetInt16(1);
            }
        }

        if (moved.Count < items.Count)
        {
            var missing = items.Where(i => !moved.ContainsKey(i.Id)).ToArray();
            await using var readBack = new NpgsqlCommand("select j.id, j.state from unnest($1, $2) as d(id, epoch) join jobs j on j.id = d.id where j.epoch = d.epoch", command.Connection)
                .WithColumn(Array.ConvertAll(missing, i => i.Id), NpgsqlDbType.Uuid)
                .WithColumn(Array.ConvertAll(missing, i => epoch(i)), NpgsqlDbType.Integer);
            await using var reader = await readBack.ReadPreparedAsync(cancellation);
            while (await reader.ReadAsync(cancellation))
            {
                if ((JobState)reader.GetInt16(1) is var state && mine.Contains(state))
                {
                    moved[reader.GetGuid(0)] = state;
                }
            }
        }

        return [.. items.Select(i => moved.TryGetValue(i.Id, out var state) ? state : (JobState?)null)];
    }
}
