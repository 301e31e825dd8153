using System.Runtime.InteropServices;

namespace QueueScale.Faults.Checker;

/// <summary>A history, sorted by jobs.</summary>
internal sealed class Evidence
{
    private readonly Dictionary<Guid, JobTrail> trails = [];
    private readonly List<Call> submissions = [];

    public Evidence(History history)
    {
        History = history;
        AddClient();
        AddDatabase();
        AddLedger();
        foreach (var trail in trails.Values)
        {
            trail.Sort();
        }
    }

    public History History { get; }

    public IReadOnlyCollection<JobTrail> Trails => trails.Values;

    /// <summary>What the clients have submitted, repeats under the same idempotency key among it.</summary>
    public IReadOnlyList<Call> Submissions => submissions;

    /// <summary>How many jobs the clients have tried to submit.</summary>
    public int Attempted => submissions.Select(call => (object?)call.Token ?? call).Distinct().Count();

    /// <summary>Jobs whose submission was answered with yes.</summary>
    public IEnumerable<JobTrail> Acked => Trails.Where(trail => trail.Submission is { Outcome: Phase.Ok });

    /// <summary>Jobs with a row in a final state.</summary>
    public IEnumerable<JobTrail> Terminal => Trails.Where(trail => trail.IsFinal);

    /// <summary>Acked less terminal.</summary>
    public IEnumerable<JobTrail> Lost => Acked.Where(trail => !trail.IsFinal);

    /// <summary>Terminal less attempted. A submission that was refused is no attempt: nothing may come of it.</summary>
    public IEnumerable<JobTrail> Unexpected => Terminal.Where(trail => trail.Submission is null or { Outcome: Phase.Fail });

    /// <summary>Terminal jobs whose submission was left without an answer.</summary>
    public IEnumerable<JobTrail> Recovered => Terminal.Where(trail => trail.Submission is { Outcome: Phase.Info });

    private JobTrail Trail(Guid job)
    {
        ref var trail = ref CollectionsMarshal.GetValueRefOrAddDefault(trails, job, out _);
        return trail ??= new JobTrail(job);
    }

    private void AddClient()
    {
        var calls = new Dictionary<long, Call>();
        foreach (var line in History.Client)
        {
            if (line.Phase == Phase.Invoke)
            {
                calls.Add(line.Call, new Call(line));
            }
            else if (calls.TryGetValue(line.Call, out var call))
            {
                call.End = line;
            }
            else
            {
                throw new InvalidDataException($"Call {line.Call} ends without a beginning.");
            }
        }

        foreach (var call in calls.Values)
        {
            if (call.Operation == Operation.Submit)
            {
                submissions.Add(call);
            }

            if (call.Job is { } job)
            {
                var trail = Trail(job);
                trail.Calls.Add(call);
                if (call.Operation == Operation.Submit && trail.Submission is not { Outcome: Phase.Ok })
                {
                    trail.Submission = call;
                }
            }
        }
    }

    /// <summary>A test may give a process a false wall clock, but never a false monotonic one: so each line's time is told by that, and the offset between
    /// the two is the one that most lines agree on.</summary>
    private void AddLedger()
    {
        var ledger = History.Ledger;
        var every = (ledger.Count / 1000) + 1;
        var offsets = ledger.Where((_, index) => index % every == 0).Select(line => line.At.AddMicroseconds(-line.Monotonic)).Order().ToArray();
        foreach (var line in ledger)
        {
            Trail(line.Job).Ledger.Add(line with { At = offsets[offsets.Length / 2].AddMicroseconds(line.Monotonic) });
        }
    }

    private void AddDatabase()
    {
        // A token that was answered belongs to the job of the answer, any other to the first job that carries it.
        var unanswered = submissions.Where(call => call.Token is not null).GroupBy(call => call.Token!)
            .Where(calls => calls.All(call => call.Job is null)).ToDictionary(calls => calls.Key, calls => calls.ToArray());
        foreach (var row in History.Jobs.OrderBy(row => row.CreatedAt))
        {
            var trail = Trail(row.Id);
            trail.Row = row;
            foreach (var tag in row.Tags)
            {
                if (trail.Submission is null && unanswered.Remove(tag, out var calls))
                {
                    trail.Submission = Array.Find(calls, call => call.Outcome == Phase.Info) ?? calls[0];
                    trail.Calls.AddRange(calls);
                }
            }
        }

        foreach (var run in History.Runs)
        {
            Trail(run.Job).Runs.Add(run);
        }

        foreach (var move in History.Moves)
        {
            Trail(move.Job).Moves.Add(move);
        }
    }
}
