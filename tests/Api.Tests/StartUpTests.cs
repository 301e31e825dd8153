using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>What cannot work stops a process at its start, with one line that a person can act upon.</summary>
public sealed class StartUpTests(Stage stage) : IClassFixture<Stage>
{
    private const string NotSet = "";

    [Theory]
    [InlineData("ConnectionStrings:Postgres", NotSet)]
    [InlineData("ConnectionStrings:Postgres", "not a connection string")]
    [InlineData("ConnectionStrings:Postgres", "Host=127.0.0.1;Password=secret-of-mine;Nonsense=1")]
    [InlineData("ConnectionStrings:Postgres", "Host=127.0.0.1;Password=secret-of-mine;Port=abc")]
    [InlineData("ConnectionStrings:Postgres", "Password=secret-of-mine")]
    [InlineData("ConnectionStrings:RabbitMq", NotSet)]
    [InlineData("ConnectionStrings:RabbitMq", "localhost")]
    [InlineData("ConnectionStrings:RabbitMq", "http://127.0.0.1:5672/")]
    [InlineData("ConnectionStrings:RabbitMq", "amqp://user:secret-of-mine@127.0.0.1:99999/")]
    [InlineData("ConnectionStrings:RabbitMq", "amqp://user:secret-of-mine@127.0.0.1:5672/two/parts")]
    [InlineData("Auth:BootstrapKey", "qs_trial-key-for-loopback-only")]
    [InlineData("ConnectionStrings:Postgres", "Host=127.0.0.1;Password=for-development-only")]
    [InlineData("ConnectionStrings:RabbitMq", "amqp://guest:gues%74@127.0.0.1:1/")]
    [InlineData("ConnectionStrings:RabbitMq", "amqp://127.0.0.1:1/")]
    [InlineData("Auth:BootstrapKey", "secret-of-mine")]
    [InlineData("Auth:BootstrapKey", "qs_secret-of-mine")]
    [InlineData("Auth:BootstrapKey", "qs_secret-of-mine with spaces and more")]
    [InlineData("Auth:BootstrapKye", "qs_secret-of-mine-01234567890123")]
    [InlineData("Api:MaxInputBytes", "5")]
    [InlineData("Api:MaxInputBytes", "16777217")]
    [InlineData("Api:MaxInputBytes", "many")]
    [InlineData("Api:TrustedProxies:0", "10.0.0.0/33", "Api:TrustedProxies")]
    [InlineData("Api:TrustedProxies:0", "nginx", "Api:TrustedProxies")]
    [InlineData("Api:MaxInputBytes", "99999999999")]
    [InlineData("Api:MaxBatchBytes", "1023")]
    [InlineData("Api:TargetDrainTime", "00:00:00")]
    [InlineData("Api:TargetDrainTime", "soon")]
    [InlineData("Api:DrainDelay", "-00:00:01")]
    [InlineData("Api:DrainDelay", "00:00:21")]
    [InlineData("Api:LaneWindow", "999")]
    [InlineData("Api:MaxInputByte", "5000")]
    [InlineData("Api:Nested:Key", "1", "Api:Nested")]
    [InlineData("Bus:WakeBatch", "0")]
    [InlineData("Bus:WakeBatch", "65")]
    [InlineData("Bus:WakeBatches", "8")]
    [InlineData("ASPNETCORE_URLS", "nonsense")]
    [InlineData("ASPNETCORE_URLS", "http://192.0.2.1:8080")] // of no machine
    public Task The_API_refuses_a_setting_that_cannot_work(string key, string value, string? named = null) => RefusesAsync(HostProcess.Api, "queuescale-api", [named ?? key], (key, value));

    [Theory]
    [InlineData("ConnectionStrings:Postgres", NotSet)]
    [InlineData("ConnectionStrings:RabbitMq", NotSet)]
    [InlineData("Worker:Slots", "0")]
    [InlineData("Worker:Slots", "1025")]
    [InlineData("Worker:Slots", "many")]
    [InlineData("Worker:Slot", "3")]
    [InlineData("Worker:Name", NotSet)]
    [InlineData("Worker:Lease", "abc")]
    [InlineData("Worker:Lease", "00:00:04")]
    [InlineData("Worker:Lease", "10")] // ten days
    [InlineData("Worker:DrainBudget", "01:00:01")]
    [InlineData("Worker:RetryBaseDelay", "00:00:00")]
    [InlineData("Worker:RetryMaxDelay", "1.00:00:01")]
    [InlineData("Worker:Queues:0", "Bad Name", "Worker:Queues")]
    [InlineData("Worker:Queues", "default")]
    [InlineData("Worker:Readiness:MaxDrainTime", "00:00:00")]
    [InlineData("Worker:Readiness:FailWhenBacklogged", "perhaps")]
    [InlineData("Worker:Readiness:FailWhenBackloged", "true")]
    [InlineData("Bus:WakeBatch", "0")]
    [InlineData("Jobs:Probe", "true")]
    [InlineData("Jobs:Probes", "maybe")]
    [InlineData("Jobs:Outbound:AllowedHosts:0", "https://files.internal/", "Jobs:Outbound:AllowedHosts")]
    [InlineData("Jobs:Outbound:MaxPerHost", "0")]
    public Task A_worker_refuses_a_setting_that_cannot_work(string key, string value, string? named = null) => RefusesAsync(HostProcess.Worker, "queuescale-worker", [named ?? key], (key, value));

    [Fact]
    public Task All_that_is_wrong_in_a_section_is_told_in_one_line() =>
        RefusesAsync(HostProcess.Api, "queuescale-api", ["Api:MaxInputBytes", "Api:DrainDelay"], ("Api:MaxInputBytes", "1"), ("Api:DrainDelay", "01:00:00"));

    [Fact]
    public async Task A_port_that_is_taken_is_told()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}";
        await RefusesAsync(HostProcess.Api, "queuescale-api", ["ASPNETCORE_URLS", address], ("ASPNETCORE_URLS", address));
        await RefusesAsync(HostProcess.Worker, "queuescale-worker", ["ASPNETCORE_URLS", address], ("ASPNETCORE_URLS", address));
    }

    [Fact]
    public async Task A_database_without_the_schema_is_told()
    {
        var empty = await stage.Servers.NewEmptyDatabaseAsync(Servers.NewName());
        await RefusesAsync(HostProcess.Api, "queuescale-api", ["0001_jobs", "'migrate'"], ("ConnectionStrings:Postgres", empty));
        await RefusesAsync(HostProcess.Worker, "queuescale-worker", ["0001_jobs", "'migrate'"], ("ConnectionStrings:Postgres", empty));
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_told()
    {
        var newer = await stage.Servers.NewDatabaseAsync(Servers.NewName());
        await using (var database = NpgsqlDataSource.Create(newer))
        {
            await using var command = database.CreateCommand("""insert into schema_migrations ("MigrationId", "ProductVersion") values ('9999_later', '99'); update schema_compatibility set compatible_from = '9999_later'""");
            await command.ExecuteNonQueryAsync();
        }

        await RefusesAsync(HostProcess.Api, "queuescale-api", ["9999_later", "newer version"], ("ConnectionStrings:Postgres", newer));
        await RefusesAsync(HostProcess.Worker, "queuescale-worker", ["9999_later", "newer version"], ("ConnectionStrings:Postgres", newer));
        await RefusesAsync(HostProcess.Api, "queuescale-api", ["9999_later", "newer version"], ["migrate"], ("ConnectionStrings:Postgres", newer));
    }

    [Fact]
    public void Every_secret_of_the_examples_is_known()
    {
        var examples = File.ReadLines(Path.Combine(Checkout.Root, ".env.example")).Where(line => line.Contains("PASSWORD=", StringComparison.Ordinal) || line.Contains("KEY=", StringComparison.Ordinal))
            .Where(line => !line.StartsWith("GRAFANA", StringComparison.Ordinal)) // no process of ours gets it
            .Concat(File.ReadLines(Path.Combine(Checkout.Root, "k8s/overlays/dev/kustomization.yaml")).Where(line => line.Contains("- api-key=", StringComparison.Ordinal) || line.Contains("assword=", StringComparison.Ordinal) || line.Contains("amqp://", StringComparison.Ordinal)))
            .ToArray();
        Assert.InRange(examples.Length, 7, 20);
        Assert.All(examples, line => Assert.True(ExampleSecrets.IsIn(line), line));
        Assert.False(ExampleSecrets.IsIn(Stage.Key));
    }

    [Theory]
    [InlineData("ConnectionStrings:Postgres", NotSet)]
    [InlineData("ConnectionStrings:Postgres", "not a connection string")]
    [InlineData("ConnectionStrings:Postgres", "Host=127.0.0.1;Port=1;Username=nobody;Password=secret-of-mine")]
    public Task Migrating_refuses_a_setting_that_cannot_work(string key, string value) => RefusesAsync(HostProcess.Api, "queuescale-api", [key], ["migrate"], (key, value));

    [Fact]
    public async Task Settings_can_be_given_on_the_command_line_too() =>
        await RefusesAsync(HostProcess.Api, "queuescale-api", ["Api:MaxInputBytes"], ["--Api:MaxInputBytes", "7"]);

    private Task RefusesAsync(string program, string called, string[] named, params (string Key, string Value)[] settings) => RefusesAsync(program, called, named, [], settings);

    private async Task RefusesAsync(string program, string called, string[] named, string[] arguments, params (string Key, string Value)[] settings)
    {
        var all = program == HostProcess.Api ? HostSettings.OfApi(stage.Postgres, stage.RabbitMq, Stage.Key) : HostSettings.OfWorker(stage.Postgres, stage.RabbitMq, "refused", stage.DataRoot);
        all["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        foreach (var (key, value) in settings)
        {
            all[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        var (code, error) = await RunAsync(program, arguments, all);
        Assert.True(code == 1, $"It ended with {code}: {error}");
        var line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"{called}: ", line, StringComparison.Ordinal);
        Assert.All(named, name => Assert.Contains(name, line, StringComparison.Ordinal));
        Assert.DoesNotContain("secret-of-mine", line, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", line, StringComparison.Ordinal);
        Assert.DoesNotContain("QueueScale.", line, StringComparison.Ordinal); // names of classes are nothing to the reader
        Assert.InRange(line.Length, 40, 600);
    }

    private static async Task<(int Code, string Error)> RunAsync(string program, string[] arguments, Dictionary<string, string?> settings)
    {
        var dll = Checkout.ProgramOf(program);
        var start = new ProcessStartInfo(Dotnet.Host, [dll, .. arguments]) { WorkingDirectory = Path.GetDirectoryName(dll), RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (key, value) in settings)
        {
            start.Environment[key] = value;
        }

        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Assert.Fail($"It did not end. It wrote: {await output}{await error}");
        }

        return (process.ExitCode, await error);
    }
}
