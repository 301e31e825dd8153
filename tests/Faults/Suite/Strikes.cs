using System.Text;
using Npgsql;
using QueueScale.Contracts;
using RabbitMQ.Client;

namespace QueueScale.Faults;

/// <summary>A way to break the system. When it returns, the fault is over.</summary>
/// <param name="Fault">The family, such as F5.</param>
/// <param name="Name">What happens.</param>
/// <param name="Target">To whom.</param>
/// <param name="RunAsync">Makes it happen.</param>
internal sealed record Strike(string Fault, string Name, string Target, Func<Scene, Task> RunAsync)
{
    /// <summary>99 % of the runs that it cuts go on elsewhere within this; where nothing is promised, null.</summary>
    public TimeSpan? HandOverBound { get; init; }

    /// <summary>It takes too long for the short lane, or another strike there shows as much.</summary>
    public bool LongLaneOnly { get; init; }

    /// <summary>What the history calls it.</summary>
    public string Kind => $"{Fault} {Name}";
}

/// <summary>What a strike may use.</summary>
/// <param name="Ground">The system.</param>
/// <param name="Load">The clients.</param>
/// <param name="Chance">Draws its choices: the same for the same seed.</param>
internal sealed record Scene(Ground Ground, Load Load, Random Chance)
{
    private int malformed;

    /// <summary>Messages sent on purpose that no consumer can read.</summary>
    public int Malformed => malformed;

    public Member AnyWorker => Ground.Workers[Chance.Next(Ground.Workers.Count)];

    public Member AnyApi => Ground.Apis[Chance.Next(Ground.Apis.Count)];

    public void CountMalformed(int messages) => Interlocked.Add(ref malformed, messages);
}

/// <summary>All strikes.</summary>
internal static class Strikes
{
    // Twice what is promised: here the workers that take over are starved of CPU by the load, the clients and each other's start. The promise itself is
    // measured by the figures "handover" and "cut-off".
    private static readonly TimeSpan AfterTerm = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan AfterKill = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AfterCut = TimeSpan.FromSeconds(30);

    public static IReadOnlyList<Strike> All { get; } =
    [
        new("F1", "kill -9 of a worker", "worker", s => Done(() => s.AnyWorker.Signal(Signal.Kill))) { HandOverBound = AfterKill },
        new("F1", "kill -9 of all workers", "workers", s => Done(() => s.Ground.Workers.ForEach(w => w.Signal(Signal.Kill)))),
        new("F2", "SIGTERM to a worker", "worker", s => Done(() => s.AnyWorker.Signal(Signal.Terminate))) { HandOverBound = AfterTerm },
        new("F2", "SIGTERM twice to all workers", "workers", async s =>
        {
            s.Ground.Workers.ForEach(w => w.Signal(Signal.Terminate));
            await Task.Delay(100);
            s.Ground.Workers.ForEach(w => w.Signal(Signal.Terminate));
        }),
        new("F3", "freeze of a worker within its lease", "worker", s => FreezeAsync(s.AnyWorker, Ground.Lease * 0.4)) { LongLaneOnly = true },
        new("F3", "freeze of a worker past its lease", "worker", s => FreezeAsync(s.AnyWorker, Ground.Lease * 1.5)) { HandOverBound = AfterCut },
        new("F4", "kill -9 of an API", "api", s => Done(() => s.AnyApi.Signal(Signal.Kill))),
        new("F4", "SIGTERM to an API", "api", s => Done(() => s.AnyApi.Signal(Signal.Terminate))),
        new("F4", "freeze of an API", "api", s => FreezeAsync(s.AnyApi, Ground.Lease * 1.5)) { LongLaneOnly = true },
        new("F5", "restart of the broker", "rabbitmq", async s =>
        {
            await s.Ground.Broker.StopAsync();
            await s.Ground.Broker.StartAsync();
        }) { LongLaneOnly = true },
        new("F5", "kill -9 of the broker", "rabbitmq", async s =>
        {
            await s.Ground.Broker.KillAsync();
            await s.Ground.Broker.StartAsync();
        }),
        new("F5", "freeze of the broker", "rabbitmq", async s =>
        {
            s.Ground.BrokerFaults.Freeze();
            await Task.Delay(TimeSpan.FromSeconds(8));
            s.Ground.BrokerFaults.Thaw();
        }),
        new("F5", "loss of all the broker's data", "rabbitmq", s => s.Ground.BrokerFaults.WipeAsync()),
        new("F6", "immediate stop of PostgreSQL", "postgres", async s =>
        {
            await s.Ground.PostgresFaults.StopImmediatelyAsync();
            await s.Ground.Postgres.StartAsync();
        }),
        new("F6", "kill -9 of a backend", "postgres", s => s.Ground.PostgresFaults.KillBackendAsync(Ground.Database)) { LongLaneOnly = true },
        new("F6", "all sessions terminated", "postgres", s => s.Ground.PostgresFaults.TerminateBackendsAsync(Ground.Database)),
        new("F6", "freeze of PostgreSQL", "postgres", async s =>
        {
            s.Ground.PostgresFaults.Freeze();
            await Task.Delay(TimeSpan.FromSeconds(5));
            s.Ground.PostgresFaults.Thaw();
        }),
        new("F6", "lock on the jobs", "postgres", async s =>
        {
            await using (await s.Ground.PostgresFaults.LockTableAsync(Ground.Database))
            {
                await Task.Delay(TimeSpan.FromSeconds(5));
            }
        }),
        new("F6", "connections exhausted", "postgres", async s =>
        {
            await using var ours = await s.Ground.Sql.OpenConnectionAsync();
            await using (await s.Ground.PostgresFaults.ExhaustConnectionsAsync())
            {
                // Whoever comes back finds no room.
                await using var end = new NpgsqlCommand("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'queuescale%'", ours);
                await end.ExecuteNonQueryAsync();
                await Task.Delay(TimeSpan.FromSeconds(4));
            }
        }),
        new("F7", "kill -9 of Redis", "redis", async s =>
        {
            await s.Ground.Redis.KillAsync();
            await s.Ground.Redis.StartAsync();
        }) { LongLaneOnly = true },
        new("F7", "freeze of Redis", "redis", async s =>
        {
            s.Ground.Redis.Process!.SignalAll(Signal.Stop);
            await Task.Delay(TimeSpan.FromSeconds(s.Chance.NextDouble() * 3)); // shorter than a key lives, or longer
            s.Ground.Redis.Process!.SignalAll(Signal.Continue);
        }),
        new("F7", "loss of all that Redis holds, ten times", "redis", async s =>
        {
            for (var i = 0; i < 10; i++)
            {
                await s.Ground.Redis.AskAsync("FLUSHALL");
                await Task.Delay(100);
            }
        }) { LongLaneOnly = true },
        new("F7", "memory of Redis used up", "redis", async s =>
        {
            await s.Ground.Redis.AskAsync("CONFIG SET maxmemory 1"); // even without any key it holds more
            await Task.Delay(TimeSpan.FromSeconds(2));
            await s.Ground.Redis.AskAsync("CONFIG SET maxmemory 64mb");
        }) { LongLaneOnly = true },
        Road("answers swallowed", "APIs to Redis", g => g.ApisToRedis, _ => new ProxyMode.SwallowResponses()) with { LongLaneOnly = true },
        Road("delay of 20 to 80 ms", "APIs to Redis", g => g.ApisToRedis, s => new ProxyMode.Delay(TimeSpan.FromSeconds(0.02), TimeSpan.FromSeconds(0.08), s.Chance.Next())) with { LongLaneOnly = true },
        Road("connections cut after some bytes", "APIs to PostgreSQL", g => g.ApisToPostgres, s => new ProxyMode.ResetAfter(s.Chance.Next(20_000), Direction.ToTarget)) with { LongLaneOnly = true },
        Road("connections cut after some bytes", "workers to PostgreSQL", g => g.WorkersToPostgres, s => new ProxyMode.ResetAfter(s.Chance.Next(20_000))),
        Road("answers swallowed", "APIs to PostgreSQL", g => g.ApisToPostgres, _ => new ProxyMode.SwallowResponses()),
        Road("answers swallowed", "workers to PostgreSQL", g => g.WorkersToPostgres, _ => new ProxyMode.SwallowResponses()),
        Road("answers swallowed", "APIs to RabbitMQ", g => g.ApisToBroker, _ => new ProxyMode.SwallowResponses()) with { LongLaneOnly = true },
        Road("answers swallowed", "workers to RabbitMQ", g => g.WorkersToBroker, _ => new ProxyMode.SwallowResponses()),
        Road("answers swallowed", "clients to an API", g => g.ApiRoads[0], _ => new ProxyMode.SwallowResponses()),
        Road("delay of 0.2 to 1 s", "workers to RabbitMQ", g => g.WorkersToBroker, s => new ProxyMode.Delay(TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(1), s.Chance.Next())) with { LongLaneOnly = true },
        Road("delay of 0.2 to 1 s", "APIs to PostgreSQL", g => g.ApisToPostgres, s => new ProxyMode.Delay(TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(1), s.Chance.Next())) with { LongLaneOnly = true },
        Road("8 kB a second", "APIs to RabbitMQ", g => g.ApisToBroker, _ => new ProxyMode.Bandwidth(8000)) with { LongLaneOnly = true },
        Road("nothing is read", "workers to PostgreSQL", g => g.WorkersToPostgres, _ => new ProxyMode.HalfOpen()),
        CutOff("worker's host cut off", outgoing: true, incoming: true, Ground.Lease * 2) with { HandOverBound = AfterCut },
        CutOff("packets to a worker vanish", outgoing: false, incoming: true, Ground.Lease * 2) with { HandOverBound = AfterCut },
        CutOff("packets from a worker vanish", outgoing: true, incoming: false, Ground.Lease * 2) with { HandOverBound = AfterCut },
        CutOff("worker's host cut off for 40 s, then back", outgoing: true, incoming: true, TimeSpan.FromSeconds(40), back: true) with { HandOverBound = AfterCut },
        new("F10", "memory alarm of the broker", "rabbitmq", async s =>
        {
            await s.Ground.BrokerFaults.RaiseMemoryAlarmAsync();
            await Task.Delay(TimeSpan.FromSeconds(4));
            await s.Ground.BrokerFaults.EndAlarmsAsync();
        }),
        new("F10", "disk alarm of the broker", "rabbitmq", async s =>
        {
            await s.Ground.BrokerFaults.RaiseDiskAlarmAsync();
            await Task.Delay(TimeSpan.FromSeconds(4));
            await s.Ground.BrokerFaults.EndAlarmsAsync();
        }) { LongLaneOnly = true },
        WrongClock("worker's clock an hour ahead, then an hour back", TimeSpan.FromHours(1), (s, clock) => s.Ground.StartWorkerAsync("worker-wrong-clock", HostPlace.Here, clock)),
        WrongClock("worker's clock ten minutes ahead, then ten minutes back", TimeSpan.FromMinutes(10), (s, clock) => s.Ground.StartWorkerAsync("worker-wrong-clock", HostPlace.Here, clock)),
        WrongClock("clock of a third API an hour ahead, then an hour back", TimeSpan.FromHours(1), (s, clock) => s.Ground.StartApiAsync("api-wrong-clock", clock)) with { Target = "api" },
        new("F13", "poison job", "workers", s => CrashAsync(s, times: 99, JobState.Failed)) { LongLaneOnly = true },
        new("F13", "job that crashes its worker once", "workers", s => CrashAsync(s, times: 1, JobState.Succeeded)) { LongLaneOnly = true },
        new("F14", "malformed messages", "rabbitmq", SendMalformedAsync),
        new("F17", "freeze of an API inside a pass of its duties", "api", async s =>
        {
            var waiting = $"select count(*) = {s.Ground.Apis.Count} from pg_stat_activity where application_name like 'queuescale-api%' and wait_event_type = 'Lock' and query like '%run_at <= clock_timestamp()%'";
            var api = s.AnyApi;
            await using var connection = await s.Ground.Sql.OpenConnectionAsync();
            await using (var transaction = await connection.BeginTransactionAsync())
            {
                await using var hold = new NpgsqlCommand("lock table queue_counts in share row exclusive mode", connection, transaction);
                await hold.ExecuteNonQueryAsync();
                if (!await Ground.UntilAsync(() => s.Ground.ScalarAsync<bool>(waiting), TimeSpan.FromSeconds(5)))
                {
                    throw new TimeoutException("Not every API came to queue jobs that are due.");
                }

                api.Signal(Signal.Stop);
            }

            await Task.Delay(Ground.Lease * 1.5);
            api.Signal(Signal.Continue);
        }),
    ];

    /// <summary>Something happens to a road for some seconds.</summary>
    private static Strike Road(string what, string road, Func<Ground, TcpProxy> proxy, Func<Scene, ProxyMode> mode) => new("F8", $"{what}, {road}", road, async s =>
    {
        proxy(s.Ground).Switch(mode(s));
        await Task.Delay(TimeSpan.FromSeconds(4));
        proxy(s.Ground).Switch(new ProxyMode.Pass());
    });

    /// <summary>One worker more, on a host of its own, whose packets vanish for some time.</summary>
    /// <param name="back">Whether they come through again in the end, so that it finds out what it has missed; else it is killed.</param>
    private static Strike CutOff(string what, bool outgoing, bool incoming, TimeSpan time, bool back = false) => new("F9", what, "worker", async s =>
    {
        await using var network = await NetworkNamespace.CreateAsync();
        await using var postgres = TcpProxy.Start(() => s.Ground.Postgres.Port, network.HostAddress);
        await using var broker = TcpProxy.Start(() => s.Ground.Broker.Port, network.HostAddress);
        await using var worker = await s.Ground.StartWorkerAsync("worker-cut-off", network.Place,
            ("ConnectionStrings__Postgres", s.Ground.Through(postgres)), ("ConnectionStrings__RabbitMq", s.Ground.BrokerThrough(broker)));
        await Task.Delay(TimeSpan.FromSeconds(2)); // it takes jobs
        await network.BlockAsync(outgoing, incoming);
        await Task.Delay(time);
        if (back)
        {
            await network.LiftAsync();
            await EndAsync(worker);
        }
    }) { LongLaneOnly = true };

    /// <summary>One process more, whose wall clock is ahead by some time, then behind by as much.</summary>
    private static Strike WrongClock(string what, TimeSpan by, Func<Scene, (string, string?)[], Task<Member>> start) => new("F11", what, "worker", async s =>
    {
        using var clock = new FakeClock(by);
        await using var member = await start(s, [.. clock.Environment.Select(v => (v.Key, v.Value))]);
        await Task.Delay(TimeSpan.FromSeconds(3));
        clock.Jump(-by);
        await Task.Delay(TimeSpan.FromSeconds(4));
        await EndAsync(member);
    }) { LongLaneOnly = true };

    private static async Task EndAsync(Member member)
    {
        await member.WaitUntilReadyAsync(); // one that has just been started again does not know SIGTERM yet
        member.Signal(Signal.Terminate);
        await member.Process.WaitForExitAsync();
    }

    private static async Task FreezeAsync(Member member, TimeSpan time)
    {
        member.Signal(Signal.Stop);
        await Task.Delay(time);
        member.Signal(Signal.Continue);
    }

    /// <summary>A job whose first runs kill their worker, and how it must end.</summary>
    private static async Task CrashAsync(Scene scene, int times, JobState end)
    {
        var mark = $"crash-{Guid.NewGuid()}";
        var job = await scene.Load.SubmitOneAsync(new Kind(mark, 0, () => Submissions.Of("probe.crash", new { times }))) ?? Guid.Empty;
        if (job == Guid.Empty && !await Ground.UntilAsync(async () => // one whose answer is lost may be there all the same
            {
                job = (await scene.Ground.RowsAsync($"select id::text from jobs where tags @> array['{mark}']")).Select(Guid.Parse).FirstOrDefault();
                return job != Guid.Empty;
            }, TimeSpan.FromSeconds(10)))
        {
            throw new TimeoutException("The job that crashes its worker was not accepted.");
        }

        var state = JobState.Queued;
        await Ground.UntilAsync(async () => (state = (JobState)await scene.Ground.ScalarAsync<short>($"select state from jobs where id = '{job}'")).IsFinal(), TimeSpan.FromSeconds(60));
        if (state != end)
        {
            throw new InvalidOperationException($"Job {job}, which crashes its worker {times} times, is {state} and not {end}.");
        }
    }

    internal static Task Done(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    private static async Task SendMalformedAsync(Scene scene)
    {
        var (unreadable, harmless) = Malformed.Messages(await scene.Ground.RowsAsync("select id::text from jobs where state = 2 limit 5"));
        foreach (var body in unreadable.Concat(harmless))
        {
            await Malformed.PublishAsync(scene.Ground.Broker, QueueName.Physical("default", QueueName.Normal), body);
        }

        scene.CountMalformed(unreadable.Count);
    }
}

/// <summary>Messages that nobody of us has sent.</summary>
internal static class Malformed
{
    /// <param name="running">Jobs that run.</param>
    /// <returns>Those that no consumer can read, and those that it can read and must drop.</returns>
    public static (IReadOnlyList<byte[]> Unreadable, IReadOnlyList<byte[]> Harmless) Messages(IEnumerable<string> running) =>
    (
        [
            Bytes(""), Bytes("{"), Bytes("null"), Bytes("[]"), [0xff, 0xfe, 0x00, 0x80], Bytes("""{"messageType": ["urn:message:Somebody:Else"], "message": {}}"""),
            Bytes(Envelope("{\"queue\": 7}")), Bytes(Envelope("{\"queue\": \"default\", \"jobs\": [{\"id\": \"no id\", \"dispatch\": 1}]}")),
        ],
        [
            Bytes(Envelope(Wake(Guid.NewGuid().ToString(), 0))),
            .. running.Select(job => Bytes(Envelope(Wake(job, 0)))), // an old dispatch
        ]);

    /// <summary>Puts a message into a queue.</summary>
    public static async Task PublishAsync(RabbitServer broker, string queue, byte[] body)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(broker.Uri()) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var properties = new BasicProperties { ContentType = "application/vnd.masstransit+json" };
        await channel.BasicPublishAsync("", queue, mandatory: true, properties, body);
        await channel.CloseAsync();
    }

    private static string Envelope(string message) => $$"""{"messageId": "{{Guid.NewGuid()}}", "messageType": ["urn:message:QueueScale.Contracts:JobsReady"], "message": {{message}}}""";

    private static string Wake(string job, int dispatch) =>
        $$"""{"queue": "default", "lane": 0, "turn": 0, "at": "2026-01-01T00:00:00Z", "jobs": [{"id": "{{job}}", "dispatch": {{dispatch}}}]}""";

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
