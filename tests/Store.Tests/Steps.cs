using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>The steps of a job's way on a stage's database, called directly.</summary>
public sealed class Steps : IAsyncDisposable
{
    private readonly List<QueuedJob> woken = [];

    public Steps(Stage stage)
    {
        Database = stage.NewDatabase();
        Submissions = new(Database, Wake, TimeSpan.FromSeconds(5));
        Uniques = new(Database, Wake, TimeSpan.FromSeconds(5));
        Claims = new(Database);
        Checkpoints = new(Database, TimeSpan.FromSeconds(10));
        Completions = new(Database);
        Failures = new(Database);
        PutBacks = new(Database, Wake);
        Cancellations = new(Database);
        Due = new(Database);
        Deaths = new(Database);
        Lanes = new(Database);
        Reconciliation = new(Database);
        Jobs = new(Database);
        Fleet = new(Database);
        Types = new(Database);
        Schedules = new(Database);
        Ticks = new(Database);
    }

    public Database Database { get; }

    public Submissions Submissions { get; }

    public UniqueSubmissions Uniques { get; }

    public Claims Claims { get; }

    public Checkpoints Checkpoints { get; }

    public Completions Completions { get; }

    public Failures Failures { get; }

    public PutBacks PutBacks { get; }

    public Cancellations Cancellations { get; }

    public DueJobs Due { get; }

    public Deaths Deaths { get; }

    public Lanes Lanes { get; }

    public Reconciliation Reconciliation { get; }

    public JobReader Jobs { get; }

    public FleetReader Fleet { get; }

    public JobTypes Types { get; }

    public Schedules Schedules { get; }

    public Ticks Ticks { get; }

    public static NewJob NewJob(string queue = "default", string input = "{}", short maxAttempts = 3) =>
        new() { Id = Guid.CreateVersion7(), Tenant = 1, Type = "test", Queue = queue, Input = input, MaxAttempts = maxAttempts };

    /// <summary>Takes the wake-ups that were to be sent since the last call.</summary>
    public IReadOnlyList<QueuedJob> TakeWoken()
    {
        lock (woken)
        {
            var taken = woken.ToArray();
            woken.Clear();
            return taken;
        }
    }

    /// <summary>Submits jobs and answers their ids, in order.</summary>
    public async Task<Guid[]> SubmitAsync(int count = 1, string queue = "default", short maxAttempts = 3)
    {
        var jobs = Enumerable.Range(0, count).Select(_ => NewJob(queue, maxAttempts: maxAttempts)).ToArray();
        await Submissions.SubmitAsync(jobs);
        return [.. jobs.Select(j => j.Id)];
    }

    /// <summary>Registers a worker that pulses only when told so.</summary>
    public PulseConnection RegisterWorker(string name = "w", TimeSpan? lease = null)
    {
        var pulse = new PulseConnection(Database);
        pulse.Register(new WorkerIdentity(name, "host", 1, "0", ["default"], ["test"], 4, lease ?? TimeSpan.FromSeconds(10)));
        return pulse;
    }

    /// <summary>Claims jobs under their present dispatch.</summary>
    public async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(Guid worker, IEnumerable<Guid> jobs, int dispatch = 0) =>
        await Claims.ClaimAsync(worker, [.. jobs.Order().Select(id => new ReadyJob(id, dispatch))], suspects: false, CancellationToken.None);

    public async Task<JobState> StateAsync(Guid job) => (await Jobs.FindAsync(job, 1, CancellationToken.None))!.Job.State;

    public async ValueTask DisposeAsync()
    {
        await Submissions.DisposeAsync();
        Uniques.Dispose();
        await Checkpoints.DisposeAsync();
        await Completions.DisposeAsync();
        await Failures.DisposeAsync();
        await PutBacks.DisposeAsync();
        await Database.DisposeAsync();
    }

    private void Wake(IReadOnlyList<QueuedJob> jobs)
    {
        lock (woken)
        {
            woken.AddRange(jobs);
        }
    }
}
