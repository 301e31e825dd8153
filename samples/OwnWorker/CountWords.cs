using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using QueueScale.Contracts;

namespace OwnWorker;

/// <summary>Counts the words of all texts below a folder.</summary>
[JobType("words.count", Queue = "texts", MaxAttempts = 5, Timeout = "01:00:00")]
public sealed class CountWords(TextFolder texts) : IJob<TextsInput, WordCount>
{
    public async Task<WordCount> RunAsync(TextsInput input, JobRun run, CancellationToken stop)
    {
        var files = texts.Below(input.Folder)
            ?? throw new JobFailed($"There is no folder '{input.Folder}'. Submit the job again with the name of one.", "folder_missing");
        var begin = run.Checkpoint<Position>() ?? new Position(Last: "", Texts: 0, Words: 0);

        var at = begin;
        foreach (var file in files.Where(file => string.CompareOrdinal(file, begin.Last) > 0))
        {
            var words = await texts.WordsOfAsync(file, stop);
            at = new Position(file, at.Texts + 1, at.Words + words.Count(word => word.Length >= input.MinLength));
            run.Progress(at.Texts, files.Count, file);
            await run.CheckpointAsync(at);
        }

        return new WordCount(at.Texts, at.Words);
    }

    /// <summary>Where a run stands, and all that the result needs of what is behind it.</summary>
    private sealed record Position(string Last, int Texts, long Words);
}

public sealed record TextsInput
{
    [Description("The folder with the texts, below the worker's Texts:Root.")]
    [StringLength(200, MinimumLength = 1)]
    public required string Folder { get; init; }

    [Description("Words shorter than this do not count.")]
    [Range(1, 100)]
    public int MinLength { get; init; } = 1;
}

public sealed record WordCount(int Texts, long Words);
