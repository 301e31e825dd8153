using FsCheck;
using FsCheck.Fluent;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

public sealed class LedgerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("ledger").FullName;

    private string File => Path.Combine(folder, "worker.ledger");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void What_handlers_note_is_read_back_in_order()
    {
        var job = Guid.CreateVersion7();
        var before = DateTime.UtcNow;
        EffectLedger.Begin(File, job, 3, 7);
        EffectLedger.Step(File, job, 3, 8);
        EffectLedger.Saved(File, job, 3, 8);
        EffectLedger.End(File, job, 3, 8);

        var (lines, damaged) = Read();
        Assert.Empty(damaged);
        Assert.Equal([LedgerMark.Begin, LedgerMark.Step, LedgerMark.Saved, LedgerMark.End], lines.Select(line => line.Mark));
        Assert.Equal([7, 8, 8, 8], lines.Select(line => line.Step));
        Assert.All(lines, line => Assert.Equal((job, 3, Environment.ProcessId), (line.Job, line.Epoch, line.Pid)));
        Assert.All(lines, line => Assert.InRange(line.At, before.AddMilliseconds(-1), DateTime.UtcNow));
        Assert.Equal(lines.Select(line => line.Monotonic).Order(), lines.Select(line => line.Monotonic));
    }

    [Fact]
    public void Lines_of_many_threads_stay_whole()
    {
        Parallel.For(0, 2000, step => EffectLedger.Step(File, Guid.CreateVersion7(), 1, step));
        var (lines, damaged) = Read();
        Assert.Empty(damaged);
        Assert.Equal(Enumerable.Range(0, 2000), lines.Select(line => line.Step).Order());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0198c0de")]
    [InlineData("0198c0de000070008000000000000001 2 S")]
    [InlineData("0198c0de000070008000000000000001 2 S 3 100 17 1767268800000000")] // whole but for its end: the number may lack digits
    public void A_torn_last_line_is_left_out(string torn)
    {
        System.IO.File.WriteAllText(File, $"{Whole(1)}\n{Whole(2)}\n{torn}");
        var (lines, damaged) = Read();
        Assert.Empty(damaged);
        Assert.Equal([1, 2], lines.Select(line => line.Step));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0198c0de000070008000000000000001 2")]
    [InlineData("0198c0de000070008000000000000001 2 X 3 100 17 1767268800000000")]
    [InlineData("0198c0de000070008000000000000001 2 S -3 100 17 1767268800000000")]
    [InlineData("0198c0de000070008000000000000001 2 S 30198c0de000070008000000000000001 2 S 4 100 17 1767268800000000")]
    public void A_damaged_line_in_the_middle_is_reported(string broken)
    {
        System.IO.File.WriteAllText(File, $"{Whole(1)}\n{broken}\n{Whole(2)}\n");
        var (lines, damaged) = Read();
        Assert.Equal([$"worker.ledger:2: {broken}"], damaged);
        Assert.Equal([1, 2], lines.Select(line => line.Step));
    }

    [Fact]
    public void A_torn_line_with_the_next_glued_to_it_is_never_taken_for_a_line()
    {
        var whole = Whole(1234);
        for (var length = 1; length <= whole.Length; length++)
        {
            Assert.False(LedgerLine.TryParse(whole[..length] + Whole(5), out _));
        }
    }

    [Fact]
    public void Every_line_is_read_as_it_was_written() =>
        Prop.ForAll(
            Gen.Choose(0, int.MaxValue).ArrayOf(5).Zip(Gen.Elements(Enum.GetValues<LedgerMark>())).ToArbitrary(),
            made =>
            {
                var (numbers, mark) = made;
                var line = new LedgerLine(Guid.NewGuid(), numbers[0], mark, numbers[1], numbers[2], (long)numbers[3] * numbers[4], Play.Start.AddMicroseconds(numbers[4]));
                return LedgerLine.TryParse(line.ToString(), out var read) && read == line;
            }).Check(Config.QuickThrowOnFailure);

    private static string Whole(int step) => new LedgerLine(Guid.CreateVersion7(), 1, LedgerMark.Step, step, 100, 17, Play.Start).ToString();

    private (List<LedgerLine> Lines, List<string> Damaged) Read()
    {
        var (lines, damaged) = (new List<LedgerLine>(), new List<string>());
        LedgerFile.Read(File, lines, damaged);
        return (lines, damaged);
    }
}
