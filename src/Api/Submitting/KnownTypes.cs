using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A registered job type, ready to check inputs.</summary>
internal sealed record KnownType(RegisteredType Registered, InputSchema Schema);

/// <summary>The registered job types, read every second. A submission that does not fit them is checked again against what is registered by then.</summary>
internal sealed class KnownTypes(JobTypes types, TimeProvider clock, ILogger<KnownTypes> logger) : DutyLoop(TimeSpan.FromSeconds(1), clock, logger)
{
    /// <summary>However many submissions do not fit, the types are read no more often than this.</summary>
    private static readonly TimeSpan ReadPause = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(1);

    private readonly TimeProvider clock = clock;
    private readonly Lock turn = new();
    private Task last = Task.CompletedTask;
    private Task? next;
    private long? begunAt;

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, KnownType> Present { get; private set; } = new Dictionary<string, KnownType>();

    /// <summary>A type's name as a label.</summary>
    public string Label(string type) => Present.ContainsKey(type) ? type : Hosting.Label.Other;

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        await RefreshAsync().WaitAsync(cancellation);
        return 0;
    }

    /// <summary>Waits for a read that begins from now on, so that it finds whatever was registered before. Reads follow one another; callers share the next one.</summary>
    /// <exception cref="StoreUnavailable">PostgreSQL does not answer.</exception>
    public Task RefreshAsync()
    {
        lock (turn)
        {
            return next ??= ReadNextAsync(last);
        }
    }

    private async Task ReadNextAsync(Task before)
    {
        await Task.WhenAny(before).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        if (begunAt is { } then && ReadPause - clock.GetElapsedTime(then) is { Ticks: > 0 } pause)
        {
            await Task.Delay(pause, clock);
        }

        lock (turn)
        {
            (last, next, begunAt) = (next!, null, clock.GetTimestamp());
        }

        using var limit = new CancellationTokenSource(ReadLimit);
        try
        {
            await ReadAsync(limit.Token);
        }
        catch (Exception error) when (error is OperationCanceledException || BatchErrors.IsPassing(error))
        {
            throw new StoreUnavailable("The registered job types cannot be read.", error);
        }
    }

    private async Task ReadAsync(CancellationToken cancellation)
    {
        var read = new Dictionary<string, KnownType>();
        foreach (var registered in await types.AllAsync(cancellation))
        {
            read[registered.Name] = Present.TryGetValue(registered.Name, out var same) && same.Registered with { RegisteredAt = registered.RegisteredAt } == registered
                ? same
                : New(registered);
        }

        Present = read;
    }

    private static KnownType New(RegisteredType registered)
    {
        ApiMetrics.Expect(registered.Queue, registered.Name);
        return new KnownType(registered, new InputSchema(registered.InputSchema));
    }
}
