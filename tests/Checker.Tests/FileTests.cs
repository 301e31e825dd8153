using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

public sealed class FileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("history").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_history_is_read_as_it_was_written()
    {
        var play = new Play { Options = new SuiteOptions { StepBound = 3, HandOverBounds = new Dictionary<string, TimeSpan> { ["kill worker"] = TimeSpan.FromSeconds(5) } } };
        var job = play.Submit(4, delay: 0).MoveTo(JobState.Queued).Claim().Do(1);
        play.Strike("kill worker");
        job.Cut(cutSecondsAgo: 0.5).Claim().Do(2, 3, 4).Succeed(4);
        play.Submit(4, Phase.Info).Claim().Fail();
        play.Call(Operation.Cancel, Phase.Fail, job.Id);
        play.Look((1, 2, 3), (1, 2, 3));
        play.Look(null, null);
        play.Ask(200, "ready", 3);
        play.Ask(503, "disconnected", null, knowsDepth: false);
        var told = play.Tell();

        told.Write(folder);
        File.WriteAllLines(Path.Combine(folder, "one.ledger"), told.Ledger.Take(4).Select(line => line.ToString()));
        File.WriteAllLines(Path.Combine(folder, "two.ledger"), told.Ledger.Skip(4).Select(line => line.ToString()));
        File.AppendAllText(Path.Combine(folder, "two.ledger"), "torn");

        var read = History.Read(folder);
        Assert.Equal(told.Client, read.Client);
        Assert.Equal(told.Runs, read.Runs);
        Assert.Equal(told.Moves, read.Moves);
        Assert.Equal(told.Faults, read.Faults);
        Assert.Equal(told.Ledger, read.Ledger);
        Assert.Empty(read.DamagedLines);
        Assert.Equivalent(told.Jobs, read.Jobs, strict: true);
        Assert.Equivalent(told.AfterDrain, read.AfterDrain, strict: true);
        Assert.Equivalent(told.Depth, read.Depth, strict: true);
        Assert.Equivalent(told.Options, read.Options, strict: true);
        Assert.Equal(Judge.Decide(told).Report(), Judge.Decide(read).Report());
    }

    [Fact]
    public void A_line_that_is_no_event_is_refused_by_name()
    {
        new Play().Tell().Write(folder);
        File.AppendAllText(Path.Combine(folder, HistoryFiles.Client), "{\"call\":1}\n");
        var error = Assert.Throws<InvalidDataException>(() => History.Read(folder));
        Assert.Contains(nameof(ClientEvent), error.Message, StringComparison.Ordinal);
    }
}
