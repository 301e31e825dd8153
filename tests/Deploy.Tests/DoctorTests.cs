using System.Net.Http.Json;
using QueueScale.Cli.Doctor;

namespace QueueScale.Tests;

/// <summary><c>doctor</c> on a system that is well, and on one thing wrong at a time.</summary>
public sealed class DoctorTests(RunningStage running) : IClassFixture<RunningStage>
{
    private readonly Stage stage = running.Stage;

    [Fact]
    public async Task A_system_that_is_well_has_nothing_wrong()
    {
        var (code, lines) = await DoctorAsync();
        Assert.Equal((0, ""), (code, string.Join('\n', lines.Where(line => line.StartsWith("WRONG", StringComparison.Ordinal)))));
        Assert.Equal(
            ["schema", "PostgreSQL", "durability", "rights", "sessions", "connections", "clock", "transactions", "workers", "counts", "RabbitMQ", "rights", "consumer_timeout", "Redis", "key", "grace period", "grace period", "grace period", "grace period"],
            lines.Select(line => line[7..24].TrimEnd()));
        Assert.Contains(lines, line => line.Contains("1 API x 26 + 1 workers (51) = 77 at most", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("counts", "update queue_counts set entered = entered + 5", "queuescale_recount")]
    [InlineData("durability", "alter database \"{0}\" set synchronous_commit = off", "Switch it on")]
    [InlineData("connections", "update workers set slots = 100000", "Raise max_connections")]
    [InlineData("queue", "insert into jobs (id, tenant, type, queue, state, max_attempts, input) values (gen_random_uuid(), 1, 'probe.noop', 'nobodys', 1, 3, '{{}}')", "nobodys has 1 jobs")]
    [InlineData("schema", "delete from schema_migrations where \"MigrationId\" like '0003%'", "Run the 'migrate' command")]
    public async Task What_is_wrong_with_the_database_is_said_with_what_to_do(string what, string sql, string remedy)
    {
        await stage.ExecuteAsync(string.Format(null, sql, stage.Vhost)); // database and vhost have one name
        await SaysAsync(what, remedy);
        await stage.ExecuteAsync($"""
            alter database "{stage.Vhost}" reset synchronous_commit;
            insert into schema_migrations select '0003_compatibility', '10' on conflict do nothing;
            update workers set slots = 32;
            delete from jobs where queue = 'nobodys';
            select queuescale_recount();
            """);
    }

    [Fact]
    public async Task A_user_of_PostgreSQL_without_rights_is_told_which()
    {
        await stage.ExecuteAsync("drop role if exists doctor_reader; create role doctor_reader login password 'x'; grant select on all tables in schema public to doctor_reader");
        await SaysAsync("rights", "delete on jobs", ("ConnectionStrings__Postgres", new Npgsql.NpgsqlConnectionStringBuilder(stage.Postgres) { Username = "doctor_reader", Password = "x" }.ConnectionString));
        await stage.ExecuteAsync("drop owned by doctor_reader; drop role doctor_reader");
    }

    [Fact]
    public async Task A_lane_with_other_arguments_is_named()
    {
        using var rabbit = stage.Servers.All.Rabbit.ManagementClient();
        var queue = $"api/queues/{stage.Vhost}/{QueueName.Physical("default", QueueName.Front)}";
        (await rabbit.DeleteAsync(queue)).EnsureSuccessStatusCode();
        (await rabbit.PutAsJsonAsync(queue, new { durable = true })).EnsureSuccessStatusCode();
        await SaysAsync("lane", "qs.default.front");
        (await rabbit.DeleteAsync(queue)).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_user_of_RabbitMQ_without_rights_is_told_which()
    {
        using var rabbit = stage.Servers.All.Rabbit.ManagementClient();
        (await rabbit.PutAsJsonAsync("api/users/doctor-reader", new { password = "x", tags = "" })).EnsureSuccessStatusCode();
        (await rabbit.PutAsJsonAsync($"api/permissions/{stage.Vhost}/doctor-reader", new { configure = "", write = "", read = ".*" })).EnsureSuccessStatusCode();
        await SaysAsync("rights", "rabbitmqctl set_permissions", ("ConnectionStrings__RabbitMq", new UriBuilder(stage.RabbitMq) { UserName = "doctor-reader", Password = "x" }.ToString()));
        (await rabbit.DeleteAsync("api/users/doctor-reader")).EnsureSuccessStatusCode();
    }

    [Theory]
    [InlineData("PostgreSQL", "ConnectionStrings__Postgres", "Host=127.0.0.1;Port=1;Username=nobody", "Check ConnectionStrings:Postgres")]
    [InlineData("RabbitMQ", "ConnectionStrings__RabbitMq", "amqp://127.0.0.1:1/", "Check ConnectionStrings:RabbitMq")]
    [InlineData("Redis", "ConnectionStrings__Redis", "127.0.0.1:1", "Check ConnectionStrings:Redis")]
    [InlineData("key", "Auth__BootstrapKey", "qs_trial-key-for-loopback-only", "init-env")]
    public async Task A_setting_that_does_not_work_is_named(string what, string key, string value, string remedy) => await SaysAsync(what, remedy, (key, value));

    [Fact]
    public void A_grace_period_that_is_too_short_is_named_with_what_it_must_be()
    {
        Assert.All(GracePeriods.Of(Checkout.Root), period => Assert.True(period.IsEnough, period.ToString()));

        var root = Directory.CreateTempSubdirectory().FullName;
        Copy("docker-compose.yml", text => text.Replace("stop_grace_period: 30s", "stop_grace_period: 20s", StringComparison.Ordinal));
        Copy("k8s/base/settings.env", text => text.Replace("Worker__DrainBudget=00:00:20", "Worker__DrainBudget=00:01:00", StringComparison.Ordinal));
        Copy("k8s/base/api.yaml", text => text);
        Copy("k8s/base/worker/worker.yaml", text => text);
        Assert.Equal(
            [("docker-compose.yml, api", 20, 25, false), ("docker-compose.yml, worker", 20, 25, false), ("k8s/base/api.yaml", 40, 30, true), ("k8s/base/worker/worker.yaml", 40, 65, false)],
            GracePeriods.Of(root).Select(period => (period.Where, period.Given.TotalSeconds, period.Needed.TotalSeconds, period.IsEnough)));
        Directory.Delete(root, recursive: true);

        void Copy(string file, Func<string, string> change)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(root, file))!);
            File.WriteAllText(Path.Combine(root, file), change(File.ReadAllText(Path.Combine(Checkout.Root, file))));
        }
    }

    private async Task SaysAsync(string what, string remedy, params (string Key, string? Value)[] settings)
    {
        var (code, lines) = await DoctorAsync(settings);
        Assert.Equal(1, code);
        Assert.Contains(lines, line => line.StartsWith($"WRONG  {what} ", StringComparison.Ordinal) && line.Contains(remedy, StringComparison.Ordinal));
    }

    private async Task<(int Code, string[] Lines)> DoctorAsync(params (string Key, string? Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["QUEUESCALE_ROOT"] = Checkout.Root, ["ConnectionStrings__Postgres"] = stage.Postgres, ["ConnectionStrings__RabbitMq"] = stage.RabbitMq, ["ConnectionStrings__Redis"] = stage.Redis,
            ["Auth__BootstrapKey"] = Stage.Key,
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var doctor = await ProgramRun.RunAsync([Dotnet.Host, Checkout.ProgramOf("QueueScale.Cli"), "doctor"], all);
        return (doctor.ExitCode, doctor.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}

/// <summary>A stage with an API, a worker and a finished job.</summary>
public sealed class RunningStage(Servers servers) : IAsyncLifetime
{
    public Stage Stage { get; } = new(servers);

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        var client = Stage.Client(await Stage.StartApiAsync());
        await Stage.StartWorkerAsync("w");
        await client.WaitForEndAsync((await client.SubmitAsync(new SubmitJob { Type = "probe.noop" })).Id);
    }

    public ValueTask DisposeAsync() => Stage.DisposeAsync();
}
