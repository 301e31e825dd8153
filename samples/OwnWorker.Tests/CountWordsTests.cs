using QueueScale.Contracts;
using QueueScale.Testing;
using Xunit;

namespace OwnWorker.Tests;

public sealed class CountWordsTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("texts");

    public CountWordsTests()
    {
        var poems = root.CreateSubdirectory("poems").FullName;
        File.WriteAllText(Path.Combine(poems, "1.txt"), "The rose is red,");
        File.WriteAllText(Path.Combine(poems, "2.txt"), "the violet's blue,");
        File.WriteAllText(Path.Combine(poems, "3.txt"), "the honey's sweet, and so are you.");
    }

    private JobHarness<TextsInput, WordCount> Harness => JobHarness.For(() => new CountWords(new TextFolder(root.FullName)));

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public async Task Every_text_is_counted_once_wherever_the_run_is_interrupted()
    {
        var job = await Harness.InterruptEverywhere(new TextsInput { Folder = "poems", MinLength = 2 });
        Assert.Equal(new WordCount(Texts: 3, Words: 14), job.Result);
    }

    [Fact]
    public async Task A_stopped_run_is_continued_at_the_next_text()
    {
        Interruption[] stopped = [new(Checkpoint: 2, InterruptionKind.Stop)];
        var job = await Harness.RunAsync(new TextsInput { Folder = "poems" }, stopped, TestContext.Current.CancellationToken);
        Assert.Equal(2, job.Runs);
        Assert.Equal(["poems/1.txt", "poems/2.txt", "poems/3.txt"], job.Progress.Select(progress => progress.Message));
    }

    [Fact]
    public async Task A_missing_folder_fails_the_job_for_good()
    {
        var missing = new TextsInput { Folder = "../elsewhere" };
        var failure = await Assert.ThrowsAsync<JobFailed>(() => Harness.RunAsync(missing, TestContext.Current.CancellationToken));
        Assert.Equal("folder_missing", failure.Code);
    }
}
