using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace QueueScale.Cache;

/// <summary>The connection to Redis. Nobody waits for an answer longer than <see cref="Patience"/>; whether Redis is there is looked at every second.</summary>
public sealed partial class RedisLink : BackgroundService
{
    /// <summary>Who has not answered by then has not answered. The library itself would wait for ever where a server is frozen.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>Writes: a Redis that only answers would be of no use.</summary>
    private const string Probe = "return redis.call('SET', KEYS[1], '1', 'PX', 1000)";

    private readonly ConfigurationOptions settings;
    private readonly ILogger<RedisLink> logger;
    private readonly Lock turn = new();
    private Task firstLook = Task.CompletedTask;
    private volatile ConnectionMultiplexer? connection;
    private volatile bool isUp;
    private bool isDownTold;

    /// <param name="connectionString">The form of StackExchange.Redis, such as <c>redis:6379,password=…</c>.</param>
    /// <param name="program">Who connects, as Redis shows it.</param>
    /// <param name="logger">Told once when Redis goes, and once when it is back.</param>
    public RedisLink(string connectionString, string program, ILogger<RedisLink> logger)
    {
        this.logger = logger;
        settings = Parse(connectionString);
        settings.ClientName = program;
        settings.AbortOnConnectFail = false;
        settings.ConnectRetry = 1;
        settings.ConnectTimeout = (int)LookInterval.TotalMilliseconds;
        settings.ReconnectRetryPolicy = new LinearRetry((int)LookInterval.TotalMilliseconds);
        settings.ConfigurationChannel = ""; // one server, so there is nothing to be told of others
        settings.TieBreaker = "";
    }

    /// <summary>Whether Redis answers.</summary>
    public bool IsUp => isUp;

    /// <summary>Makes sure that a connection string is one.</summary>
    /// <exception cref="ArgumentException">It is none, or names no server.</exception>
    public static void Check(string connectionString) => Parse(connectionString);

    /// <summary>Makes Redis answer, for as long as that takes.</summary>
    public Task AskAsync() => (connection ?? throw new InvalidOperationException("Redis cannot be reached.")).GetDatabase().ScriptEvaluateAsync(Probe, ["queuescale:probe"], flags: CommandFlags.NoScriptCache);

    /// <summary>Tries for a second at most, so that the first request after the start finds Redis where it is there.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        firstLook = Task.Run(LookAsync, CancellationToken.None);
        await Task.WhenAny(firstLook, Task.Delay(LookInterval, cancellationToken));
        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        base.Dispose();
        connection?.Close(allowCommandsToComplete: false);
    }

    /// <summary>Something was not answered that had to be: Redis counts as gone until it answers again.</summary>
    public void NoteGone(string reason)
    {
        lock (turn)
        {
            isUp = false;
            if (!isDownTold)
            {
                isDownTold = true;
                Log.Gone(logger, Where, reason.Split('\n')[0].TrimEnd('.'));
            }
        }
    }

    /// <returns>Null when Redis did not answer in time.</returns>
    internal async Task<RedisResult?> AskAsync(string script, RedisKey[] keys, params RedisValue[] values)
    {
        if (!isUp || connection is not { } link)
        {
            return null;
        }

        try
        {
            return await link.GetDatabase().ScriptEvaluateAsync(script, keys, values, CommandFlags.NoScriptCache).WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            return null;
        }
        catch (Exception error) when (error is RedisException or InvalidOperationException or AggregateException)
        {
            NoteGone(error.Message);
            return null;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await firstLook.WaitAsync(stoppingToken);
            using var timer = new PeriodicTimer(LookInterval);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await LookAsync().WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal way to end.
        }
    }

    private static ConfigurationOptions Parse(string connectionString)
    {
        var settings = ConfigurationOptions.Parse(connectionString);
        return settings.EndPoints.Count > 0 ? settings : throw new ArgumentException("it names no server");
    }

    private string Where => string.Join(", ", settings.EndPoints);

    /// <summary>One that counts as gone must answer as fast as is asked of it before it counts as there.</summary>
    private async Task LookAsync()
    {
        try
        {
            connection ??= await ConnectionMultiplexer.ConnectAsync(settings);
            await AskAsync().WaitAsync(isUp ? LookInterval : Patience);
        }
        catch (Exception error)
        {
            NoteGone(error.Message);
            return;
        }

        lock (turn)
        {
            if (isUp)
            {
                return;
            }

            isUp = true;
            isDownTold = false;
            Log.There(logger, Where);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2101, LogLevel.Information, "Redis at {Where} answers")]
        public static partial void There(ILogger logger, string where);

        [LoggerMessage(2102, LogLevel.Warning, "Redis at {Where} does not answer: {Reason}. Reads of jobs are answered by PostgreSQL until it does; check ConnectionStrings:Redis if this stays so")]
        public static partial void Gone(ILogger logger, string where, string reason);
    }
}
