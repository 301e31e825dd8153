using System.Globalization;
using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Cache;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Looks at the servers with the API's own settings, and says of each thing that matters whether it is well, and if not how to mend it.</summary>
internal static class Doctor
{
    private const int LeastPostgres = 15;
    private static readonly Version LeastRabbitMq = new(3, 10);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongTransaction = TimeSpan.FromMinutes(30);

    /// <returns>The exit code: 1 when something is wrong.</returns>
    public static async Task<int> RunAsync(IConfiguration settings)
    {
        using var limit = new CancellationTokenSource(Limit);
        var findings = new List<Finding>();
        await using var database = new Database(settings.Postgres(Database.Check), "queuescale-doctor");
        var queues = await PostgresAsync(database, findings, limit.Token);
        await RabbitMqAsync(settings.RabbitMq(), queues, findings, limit.Token);
        await RedisAsync(settings.Redis(RedisLink.Check), findings, limit.Token);
        Key(settings, findings);
        foreach (var finding in findings)
        {
            Console.WriteLine(finding);
        }

        return findings.Any(finding => finding.Health == Health.Wrong) ? 1 : 0;
    }

    /// <returns>The queues that there are.</returns>
    private static async Task<IReadOnlyList<string>> PostgresAsync(Database database, List<Finding> findings, CancellationToken cancellation)
    {
        try
        {
            await Schema.CheckAsync(database.General, cancellation);
            findings.Add(Finding.Ok("schema", "is one that this version runs on"));
        }
        catch (SchemaMismatch mismatch)
        {
            findings.Add(Finding.Wrong("schema", mismatch.Message));
            return [];
        }
        catch (Exception error) when (BatchErrors.IsPassing(error) || error is Npgsql.PostgresException or OperationCanceledException)
        {
            findings.Add(Finding.Wrong("PostgreSQL", $"does not answer: {error.Message} Check ConnectionStrings:Postgres, and that the server listens there and takes this user."));
            return [];
        }

        var facts = await Diagnosis.PostgresAsync(database, cancellation);
        findings.Add(facts.Major >= LeastPostgres
            ? Finding.Ok("PostgreSQL", facts.Version)
            : Finding.Wrong("PostgreSQL", $"is {facts.Version}, and {LeastPostgres} is the oldest that is tested. Upgrade it."));
        findings.Add(facts.NotDurable.Count == 0
            ? Finding.Ok("durability", "fsync, full_page_writes and synchronous_commit are on")
            : Finding.Wrong("durability", $"{string.Join(", ", facts.NotDurable)}: an accepted job may be lost with a crash. Switch it on in postgresql.conf."));
        findings.Add(facts.MissingRights.Count == 0
            ? Finding.Ok("rights", "the user may do all that is needed")
            : Finding.Wrong("rights", $"the user may not: {string.Join("; ", facts.MissingRights)}. Let the user that migrates own the tables, or grant these."));
        findings.Add(facts.KeepsSessions
            ? Finding.Ok("sessions", "last: no pooler in transaction mode is between")
            : Finding.Wrong("sessions", "do not last: a pooler in transaction mode is between. Connect to PostgreSQL itself, or put the pooler into session mode."));
        findings.Add(Connections(facts));
        findings.Add(facts.ClockAhead.Duration() < ClockTolerance
            ? Finding.Ok("clock", string.Create(CultureInfo.InvariantCulture, $"{facts.ClockAhead.TotalSeconds:+0.00;-0.00} s between this machine and PostgreSQL"))
            : Finding.Note("clock", string.Create(CultureInfo.InvariantCulture, $"PostgreSQL's is {facts.ClockAhead.TotalSeconds:+0.0;-0.0} s from this machine's. No lease and no due time depends on it, but logs and dashboards do: run a time service on both.")));
        findings.Add(facts.OldestTransaction < LongTransaction
            ? Finding.Ok("transactions", "none has been open for long")
            : Finding.Note("transactions", $"one has been open for {facts.OldestTransaction.TotalMinutes:0} minutes: dead rows pile up meanwhile. Look for it in pg_stat_activity; a dump that runs is a good reason."));
        return await FleetAsync(database, findings, cancellation);
    }

    private static Finding Connections(PostgresFacts facts)
    {
        var (apis, workers) = (Math.Max(1, facts.Apis), facts.WorkerSlots.Sum(slots => Database.MostConnections + slots - WorkerSpare));
        var most = (apis * Database.MostConnections) + workers;
        var left = facts.MaxConnections - facts.OtherConnections - most;
        var sum = $"{apis} API{(apis > 1 ? "s" : "")} x {Database.MostConnections} + {facts.WorkerSlots.Count} workers ({workers}) = {most} at most, of {facts.MaxConnections} with {facts.OtherConnections} used by others";
        return left >= 0
            ? Finding.Ok("connections", $"{sum}; {left} are left, {left / Database.MostConnections} more APIs or {left / (Database.MostConnections + QueueFigures.UnknownSlots - WorkerSpare)} more workers{(left < most ? "; an update in which all run twice for a while needs more" : "")}")
            : Finding.Wrong("connections", $"{sum}: {-left} too few when all is busy. Raise max_connections, or run fewer workers or slots.");
    }

    /// <summary>A worker's pools are an API's, but that <c>general</c> has its slots and 8 instead of 16, and its pulse has one of its own.</summary>
    private const int WorkerSpare = 7;

    private static async Task<IReadOnlyList<string>> FleetAsync(Database database, List<Finding> findings, CancellationToken cancellation)
    {
        var fleet = await Diagnosis.FleetAsync(database, cancellation);
        findings.Add(fleet.Versions.Count switch
        {
            0 => Finding.Note("workers", "none is alive: jobs wait. Start one"),
            1 => Finding.Ok("workers", $"all of version {fleet.Versions[0]}"),
            _ => Finding.Note("workers", $"of several versions: {string.Join(", ", fleet.Versions)}. That is well during an update; else finish it."),
        });
        findings.AddRange(fleet.Unserved.Select(queue => Finding.Wrong("queue", $"{queue.Queue} has {queue.Jobs} jobs and no live worker serves it. Start one with Worker:Queues naming it.")));
        findings.Add(fleet.CountsDrift.Count == 0
            ? Finding.Ok("counts", "are what the table says")
            : Finding.Wrong("counts", $"of {string.Join(", ", fleet.CountsDrift)} are not what the table says: somebody wrote to jobs by hand. Run: select queuescale_recount()"));
        return [.. (await new FleetReader(database).QueuesAsync(cancellation)).Where(queue => queue.IsKnown).Select(queue => queue.Name)];
    }

    private static async Task RabbitMqAsync(Uri broker, IReadOnlyList<string> queues, List<Finding> findings, CancellationToken cancellation)
    {
        BrokerFacts facts;
        try
        {
            facts = await BrokerDiagnosis.LookAsync(broker, queues, cancellation);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            findings.Add(Finding.Wrong("RabbitMQ", $"does not answer: {(error.InnerException ?? error).Message} Jobs are accepted and wait. Check ConnectionStrings:RabbitMq, and that its user may use the vhost."));
            return;
        }

        findings.Add(Version.TryParse(facts.Version.Split('-', '+')[0], out var version) && version < LeastRabbitMq
            ? Finding.Wrong("RabbitMQ", $"is {facts.Version}, and {LeastRabbitMq} is the oldest that is tested. Upgrade it.")
            : Finding.Ok("RabbitMQ", facts.Version));
        findings.Add(facts.MayNot is null
            ? Finding.Ok("rights", "RabbitMQ's user may declare, send and read")
            : Finding.Wrong("rights", $"RabbitMQ's user may not: {facts.MayNot}. Give it configure, write and read for \"^qs\\.\" : rabbitmqctl set_permissions."));
        findings.AddRange(facts.OtherArguments.Select(lane => Finding.Wrong("lane", $"{lane}: the queue has other arguments than QueueScale's. Delete it; no job is lost, its wake-ups are sent again.")));
        findings.AddRange(facts.SetAside.Select(aside => Finding.Note("messages", $"{aside.Value} in {aside.Key} that no worker could read. QueueScale sends none such: look who did, then purge it.")));
        findings.Add(Finding.Note("consumer_timeout", "cannot be read here. From a minute on it does not matter: each delivery is settled within about two seconds"));
    }

    private static async Task RedisAsync(string? redis, List<Finding> findings, CancellationToken cancellation)
    {
        if (redis is null)
        {
            findings.Add(Finding.Note("Redis", "is not set, so each read of a job asks PostgreSQL. Where that is too much, set ConnectionStrings:Redis at all APIs"));
            return;
        }

        try
        {
            var (version, took) = await RedisDiagnosis.LookAsync(redis, cancellation);
            findings.Add(took < RedisLink.Patience
                ? Finding.Ok("Redis", string.Create(CultureInfo.InvariantCulture, $"{version}, answers in {took.TotalMilliseconds:0.0} ms"))
                : Finding.Wrong("Redis", string.Create(CultureInfo.InvariantCulture, $"answers in {took.TotalMilliseconds:0} ms, and nobody waits longer than {RedisLink.Patience.TotalMilliseconds:0}: it makes reads slower. Bring it closer, or leave ConnectionStrings:Redis out.")));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            findings.Add(Finding.Wrong("Redis", $"does not answer: {(error.InnerException ?? error).Message.Split('\n')[0]} Jobs are read more slowly. Check ConnectionStrings:Redis, and that the server listens there and takes this password."));
        }
    }

    private static void Key(IConfiguration settings, List<Finding> findings)
    {
        var options = new AuthOptions();
        settings.GetSection("Auth").Bind(options);
        findings.Add(string.IsNullOrEmpty(options.BootstrapKey) ? Finding.Note("key", "Auth:BootstrapKey is not set here, so nothing can be said of it")
            : ExampleSecrets.IsIn(options.BootstrapKey)
            ? Finding.Wrong("key", "Auth:BootstrapKey is that of the examples, which everybody knows. Set a secret one: ./queuescale init-env makes one.")
            : Finding.Ok("key", "Auth:BootstrapKey is none of the examples'"));
    }
}

internal enum Health
{
    Ok,
    Note,
    Wrong,
}

/// <summary>What the doctor has to say of one thing, on one line.</summary>
/// <param name="Health">How it is.</param>
/// <param name="What">The thing.</param>
/// <param name="Says">What it is like; where it is not well, also how to mend it.</param>
internal sealed record Finding(Health Health, string What, string Says)
{
    public static Finding Ok(string what, string says) => new(Health.Ok, what, says);

    public static Finding Note(string what, string says) => new(Health.Note, what, says);

    public static Finding Wrong(string what, string says) => new(Health.Wrong, what, says);

    public override string ToString() => $"{Health switch { Health.Ok => "ok", Health.Note => "note", _ => "WRONG" },-6} {What,-17} {Says.ReplaceLineEndings(" ")}";
}
