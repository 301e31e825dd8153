using Npgsql;
using QueueScale.Contracts;

namespace OwnWorker;

/// <summary>Adds the words of all texts below a folder to the table word_counts.</summary>
[JobType("words.index", Queue = "texts")]
public sealed class IndexWords(TextFolder texts) : IJob<TextsInput, WordCount>
{
    public async Task<WordCount> RunAsync(TextsInput input, JobRun run, CancellationToken stop)
    {
        var files = texts.Below(input.Folder)
            ?? throw new JobFailed($"There is no folder '{input.Folder}'. Submit the job again with the name of one.", "folder_missing");
        var begin = run.Checkpoint<Position>() ?? new Position(Last: "", Texts: 0, Words: 0);

        var at = begin;
        foreach (var file in files.Where(file => string.CompareOrdinal(file, begin.Last) > 0))
        {
            var words = (await texts.WordsOfAsync(file, stop)).Where(word => word.Length >= input.MinLength).ToList();
            at = new Position(file, at.Texts + 1, at.Words + words.Count);
            run.Progress(at.Texts, files.Count, file);
            await run.CheckpointAsync(at, async transaction =>
            {
                // In one order, so that no two jobs lock each other out.
                var counts = words.CountBy(word => word).OrderBy(count => count.Key, StringComparer.Ordinal).ToList();
                await using var add = new NpgsqlCommand(
                    """
                    insert into word_counts (word, count) select * from unnest(@words, @counts)
                    on conflict (word) do update set count = word_counts.count + excluded.count
                    """, (NpgsqlConnection)transaction.Connection!, (NpgsqlTransaction)transaction);
                add.Parameters.AddWithValue("words", counts.ConvertAll(count => count.Key));
                add.Parameters.AddWithValue("counts", counts.ConvertAll(count => count.Value));
                await add.ExecuteNonQueryAsync(stop);
            });
        }

        return new WordCount(at.Texts, at.Words);
    }

    private sealed record Position(string Last, int Texts, long Words);
}
