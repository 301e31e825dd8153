using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A registered job type, ready to check inputs.</summary>
internal sealed record KnownType(RegisteredType Registered, InputSchema Schema);

/// <summary>The registered job types, read every second. A submission that does not fit them is checked again against what is registered by then.</summary>
internal sealed class KnownTypes(JobTypes types, TimeProvider clock, ILogger<KnownTypes> logger) : DutyLoop(TimeSpan.FromSeconds(1), clock, logger)
{
    /// <summary>However many submissions do not fit, the types are read no more often than this.</summary>
    private static readonly TimeSpan ReadPause = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(1);

    private readonly TimeProvider clock = clock;
    private readonly Lock turn = new();
    private Task reading = Task.CompletedTask;
    private long readAt;

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, KnownType> Present { get; private set; } = new Dictionary<string, KnownType>();

    /// <summary>A type's name as a label.</summary>
    public string Label(string type) => Present.ContainsKey(type) ? type : Hosting.Label.Other;

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        var read = new Dictionary<string, KnownType>();
        foreach (var registered in await types.AllAsync(cancellation))
        {
            read[registered.Name] = Present.TryGetValue(registered.Name, out var same) && same.Registered with { RegisteredAt = registered.RegisteredAt } == registered
                ? same
                : New(registered);
        }

        Present = read;
        readAt = clock.GetTimestamp();
        return 0;
    }

    private static KnownType New(RegisteredType registered)
    {
        ApiMetrics.Expect(registered.Queue, registered.Name);
        return new KnownType(registered, new InputSchema(registered.InputSchema));
    }

    /// <summary>Reads the types, unless that was done a moment ago. Callers at the same time share one read.</summary>
    /// <exception cref="StoreUnavailable">PostgreSQL does not answer.</exception>
    public async Task RefreshAsync()
    {
        Task read;
        lock (turn)
        {
            if (readAt != 0 && clock.GetElapsedTime(readAt) < ReadPause)
            {
                return;
            }

            if (reading.IsCompleted)
            {
                reading = ReadWithinLimitAsync();
            }

            read = reading;
        }

        await read;
    }

    private async Task ReadWithinLimitAsync()
    {
        using var limit = new CancellationTokenSource(ReadLimit);
        try
        {
            await RunOnceAsync(limit.Token);
        }
        catch (Exception error) when (error is OperationCanceledException || BatchErrors.IsPassing(error))
        {
            throw new StoreUnavailable("The registered job types cannot be read.", error);
        }
    }
}
