using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

/// <summary>A made-up history. What is told of it by <see cref="PlayedJob"/>'s methods is consistent; a test spoils one thing.</summary>
internal sealed class Play
{
    public static readonly DateTime Start = new(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc);

    private readonly List<PlayedJob> jobs = [];
    private long calls;

    public DateTime Now { get; private set; } = Start;

    public SuiteOptions Options { get; set; } = new();

    public AfterDrain? AfterDrain { get; set; }

    public List<ClientEvent> Client { get; } = [];

    public List<JobMove> Moves { get; } = [];

    public List<RunRow> Runs { get; } = [];

    public List<LedgerLine> Ledger { get; } = [];

    public List<Fault> Faults { get; } = [];

    public List<DepthSample> Depth { get; } = [];

    public List<BrokerQueue> Queues { get; } = [new("qs.default", 0, 0), new("qs.default_error", 0, 0)];

    /// <summary>Time passes.</summary>
    public DateTime Wait(double seconds = 0.01) => Now = Now.AddSeconds(seconds);

    public void Call(Operation operation, Phase answer, Guid? job = null, Guid? answered = null, string? token = null, int? steps = null)
    {
        var call = ++calls;
        Client.Add(new ClientEvent { Call = call, Phase = Phase.Invoke, Operation = operation, At = Wait(), Job = job, Token = token, Steps = steps });
        Client.Add(new ClientEvent { Call = call, Phase = answer, Operation = operation, At = Wait(), Job = job ?? answered, Detail = $"{answer}" });
    }

    /// <summary>Somebody is shown a job as that write to its row has left it, the first being 1, or as one that leaves no row in the history.</summary>
    public void Show(PlayedJob job, JobState state, int? write = null, string observer = "o")
    {
        var version = write is { } number ? Moves.Where(move => move.Job == job.Id).ElementAt(number - 1).Transaction : uint.MaxValue;
        var call = ++calls;
        Client.Add(new ClientEvent { Call = call, Phase = Phase.Invoke, Operation = Operation.Read, At = Wait(), Job = job.Id, Observer = observer });
        Client.Add(new ClientEvent { Call = call, Phase = Phase.Ok, Operation = Operation.Read, At = Wait(), Job = job.Id, State = state, Version = version });
    }

    /// <summary>A job is stored, and its submission answered so; without an answer it is known by its token only.</summary>
    public PlayedJob Submit(int? steps = null, Phase? answer = Phase.Ok, string? token = null, double? delay = null)
    {
        var job = new PlayedJob(this, delay, answer is null or Phase.Ok ? [] : [token ??= $"token-{calls}"]);
        jobs.Add(job);
        if (answer is { } given)
        {
            Call(Operation.Submit, given, answered: given == Phase.Ok ? job.Id : null, token: token, steps: steps);
        }

        return job;
    }

    public void Strike(string kind, double seconds = 0, int jobsHit = 60) =>
        Faults.Add(new Fault { Kind = kind, Target = "worker-1", Begun = Now, Ended = Wait(seconds), JobsHit = jobsHit });

    /// <summary>An API is asked for the depth, and the table before and after; null where there is no answer.</summary>
    public void Look((long Ready, long Running, long Waiting)? table, (long Ready, long Running, long Waiting)? shown, DateTime? oldestAt = null, double? oldestSeconds = null)
    {
        Depth.Add(new DepthSample { Who = "api-1", Before = Reading(table, oldestAt), Shown = Reading(shown, shownSeconds: oldestSeconds), After = Reading(table, oldestAt) });

        DepthReading Reading((long Ready, long Running, long Waiting)? depth, DateTime? tableAt = null, double? shownSeconds = null) =>
            new(Wait(), Wait(), depth is { } known ? [new QueueDepth("default", known.Ready, known.Running, known.Waiting, tableAt, shownSeconds)] : null);
    }

    /// <summary>A worker is asked for its readiness while three jobs are ready, which it shows unless it is told not to.</summary>
    public void Ask(int code, string status, double? drainSeconds, bool knowsDepth = true)
    {
        IReadOnlyList<QueueDepth> three = [new("default", 3, 0, 0)];
        Depth.Add(new DepthSample
        {
            Who = "worker-1",
            Before = new(Wait(), Wait(), three),
            Shown = new(Wait(), Wait(), drainSeconds is null ? null : [new QueueDepth("default", 3, 0, null)]),
            After = new(Wait(), Wait(), three),
            Readiness = new(code, status, knowsDepth, drainSeconds),
        });
    }

    public History Tell() => new()
    {
        Options = Options,
        AfterDrain = AfterDrain ?? new AfterDrain { At = Now.AddMinutes(5), Queues = Queues },
        Client = Client,
        Jobs = [.. jobs.Select(job => job.Row).OfType<JobRow>()],
        Runs = Runs,
        Moves = Moves,
        Faults = Faults,
        Depth = Depth,
        Ledger = Ledger,
    };

    public Verdict Judged() => Judge.Decide(Tell());
}

/// <summary>A job of a <see cref="Play"/>, with the handler that runs it.</summary>
internal sealed class PlayedJob
{
    private readonly Play play;

    public PlayedJob(Play play, double? delay, string[] tags)
    {
        this.play = play;
        var now = play.Wait();
        Row = new JobRow
        {
            Id = Guid.CreateVersion7(),
            Type = "test.ledger",
            Queue = "default",
            State = delay is null ? JobState.Queued : JobState.Scheduled,
            Epoch = 0,
            Dispatch = 0,
            Attempts = 0,
            Interruptions = 0,
            Crashes = 0,
            CheckpointSeq = 0,
            CancelRequested = false,
            Tags = tags,
            RunAt = delay is { } seconds ? now.AddSeconds(seconds) : null,
            CreatedAt = now,
        };
        Id = Row.Id;
        Move(null);
    }

    public Guid Id { get; }

    public JobRow? Row { get; set; }

    /// <summary>The step of the checkpoint that is stored.</summary>
    public int SavedStep { get; set; }

    /// <summary>Writes the row as it stands now, as the trigger sees it.</summary>
    public PlayedJob Write(Func<JobRow, JobRow> change)
    {
        var old = Row!;
        play.Wait();
        Row = change(old);
        if (Row.State.IsFinal() && !old.State.IsFinal())
        {
            Row = Row with { FinishedAt = play.Now };
        }

        Move(old);
        return this;
    }

    public PlayedJob MoveTo(JobState state) => Write(row => row with { State = state });

    /// <summary>A worker claims the job, and its handler begins.</summary>
    public PlayedJob Claim(int? resumedFrom = null) => ClaimOnly().Note(LedgerMark.Begin, resumedFrom ?? SavedStep);

    public PlayedJob ClaimOnly() => Write(row => row with { State = JobState.Running, Epoch = row.Epoch + 1 });

    /// <summary>Steps, each with its checkpoint.</summary>
    public PlayedJob Do(params int[] steps)
    {
        foreach (var step in steps)
        {
            Note(LedgerMark.Step, step).Save(step).Note(LedgerMark.Saved, step);
        }

        return this;
    }

    /// <summary>A checkpoint is stored; it leaves no row in the history.</summary>
    public PlayedJob Save(int step)
    {
        Row = Row! with { CheckpointSeq = Row.CheckpointSeq + 1 };
        SavedStep = step;
        return this;
    }

    /// <summary>A line in the ledger, of the present run unless another is named.</summary>
    public PlayedJob Note(LedgerMark mark, int step, int? epoch = null, int pid = 100)
    {
        var at = play.Wait();
        play.Ledger.Add(new LedgerLine(Id, epoch ?? Row!.Epoch, mark, step, pid, (long)(at - Play.Start).TotalMicroseconds, at));
        return this;
    }

    /// <summary>The run ends without ending the job.</summary>
    public PlayedJob Cut(string how = "crashed", JobState to = JobState.Queued, double? cutSecondsAgo = null)
    {
        var row = Row!;
        var started = play.Moves.FindLast(move => move.Job == Id)!;
        MoveTo(to);
        play.Runs.Add(new RunRow
        {
            Job = Id,
            Epoch = row.Epoch,
            How = how,
            FromSeq = started.CheckpointSeq,
            StartedAt = started.At,
            EndedAt = play.Now,
            HandoverFrom = cutSecondsAgo is { } seconds ? play.Now.AddSeconds(-seconds) : null,
        });
        return this;
    }

    public PlayedJob Succeed(int lastStep) => Note(LedgerMark.End, lastStep).MoveTo(JobState.Succeeded);

    public PlayedJob Fail(string? code = "handler_failed") => Write(row => row with { State = JobState.Failed, ErrorCode = code });

    /// <summary>The whole way of a job of four steps.</summary>
    public PlayedJob Finish() => Claim().Do(1, 2, 3, 4).Succeed(4);

    private void Move(JobRow? old) => play.Moves.Add(new JobMove
    {
        Seq = play.Moves.Count + 1,
        Transaction = play.Moves.Count + 1,
        At = play.Now,
        Job = Id,
        OldState = old?.State,
        State = Row!.State,
        OldEpoch = old?.Epoch,
        Epoch = Row.Epoch,
        Attempts = Row.Attempts,
        Interruptions = Row.Interruptions,
        Crashes = Row.Crashes,
        OldCheckpointSeq = old?.CheckpointSeq,
        CheckpointSeq = Row.CheckpointSeq,
        CancelRequested = Row.CancelRequested,
        RunAt = Row.RunAt,
    });
}
