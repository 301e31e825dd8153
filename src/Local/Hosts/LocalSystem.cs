using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>A whole QueueScale in a run folder: servers, schema, one API, some workers. Every operation takes over whatever it finds.</summary>
public sealed class LocalSystem(RunFolder folder)
{
    private const string ApiName = "api";
    private const int DefaultWorkers = 2;

    // A worker may take its whole drain budget.
    private static readonly TimeSpan HostPatience = TimeSpan.FromSeconds(30);

    private readonly LocalServers _servers = LocalServers.Of(folder);

    /// <summary>Where it lives.</summary>
    public RunFolder Folder => folder;

    /// <summary>Its servers.</summary>
    public LocalServers Servers => _servers;

    /// <summary>Starts what is missing and stops workers beyond the number wanted; when this returns, all are ready.</summary>
    /// <param name="workers">How many workers; null keeps the number of the last call, 2 at first.</param>
    /// <param name="tell">Hears of each step.</param>
    /// <param name="place">Where the servers run. Where their data is they stay until it is wiped.</param>
    /// <param name="cancellation">Ends the start; what was started stays.</param>
    public async Task<SystemInfo> UpAsync(int? workers = null, Tell? tell = null, ServerPlace place = ServerPlace.Auto, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        var api = Checkout.ProgramOf(HostProcess.Api);
        var wanted = workers ?? folder.Remembered.Workers ?? DefaultWorkers;
        folder.Remembered.Workers = wanted;

        var before = Addresses();
        await StartServersAsync(place, tell, cancellation);
        if (before is not null && before != Addresses()) await StopAsync(RunFolderEnd.Hosts(folder), "stopped: a server had to move to another port", tell);

        await MigrateAsync(tell, cancellation);
        var (postgres, rabbitMq) = (_servers.PostgresConnectionString(), _servers.RabbitMqUri());
        var key = folder.Remembered.Secret("api-key", prefix: "qs_");
        await StopAsync([.. RunningWorkers().Where(running => WorkerGroup.Parse(running.Name) is not { Group: "", Number: var number } || number > wanted).Select(running => running.Process)], "stopped", tell);
        await Task.WhenAll(
        [
            EnsureAsync(ApiName, api, HostSettings.OfApi(postgres, rabbitMq, key, _servers.RedisConnectionString), tell, cancellation),
            .. Enumerable.Range(1, wanted).Select(number => EnsureWorkerAsync(WorkerGroup.Usual, number, tell, cancellation)),
        ]);
        return Find() ?? throw new LocalProblem($"The API ended right after its start. Its log: {Path.Combine(folder.Logs, ApiName + ".log")}");
    }

    /// <summary>Starts or stops workers of a group; when this returns, all are ready and those that had to go are gone.</summary>
    /// <param name="group">The group.</param>
    /// <param name="wanted">How many of it.</param>
    /// <param name="tell">Hears of each step.</param>
    /// <param name="cancellation">Ends it; what was started stays.</param>
    public async Task ScaleAsync(WorkerGroup group, int wanted, Tell? tell = null, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        await Task.WhenAll(
        [
            StopAsync([.. RunningWorkers().Where(running => WorkerGroup.Parse(running.Name) is { } worker && worker.Group == group.Name && worker.Number > wanted).Select(running => running.Process)], "stopped", tell),
            .. Enumerable.Range(1, wanted).Select(number => EnsureWorkerAsync(group, number, HostProcess.Find(folder, group.NameOf(number)) is null ? tell : null, cancellation)),
        ]);
    }

    /// <summary>The running system; null when its API does not run.</summary>
    public SystemInfo? Find() =>
        HostProcess.Find(folder, ApiName) is { } api && folder.Remembered.KnownSecret("api-key") is { } key
            ? new(
                AddressOf(api), key,
                [.. RunningWorkers().Select(worker => new WorkerProcessInfo(worker.Name, worker.Process.Pid, AddressOf(worker)))],
                [new ApiProcessInfo(api.Process.Pid, AddressOf(api))],
                folder.DataRoot, _servers.PostgresConnectionString(), _servers.RabbitMqUri())
            : null;

    /// <summary>The names of all processes that run in it, servers included.</summary>
    public IReadOnlyList<string> RunningNames() => [.. folder.ProcessNames().Where(name => LocalProcess.Find(folder, name) is not null)];

    /// <summary>Stops everything: first the workers and the API, in an orderly way, then the servers.</summary>
    /// <param name="wipe">Also deletes the folder, and PostgreSQL's data where that is elsewhere.</param>
    /// <param name="tell">Hears of each step.</param>
    /// <param name="cancellation">Ends the wait for another command. Once begun, it goes to its end.</param>
    /// <exception cref="LocalProblem">Tests run in the folder, and it shall be wiped.</exception>
    public async Task DownAsync(bool wipe = false, Tell? tell = null, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        await AptGet.LetEndAsync(folder, tell, CancellationToken.None);
        await EndTestsAsync(wipe);

        await StopAsync(RunFolderEnd.Hosts(folder), "stopped", tell);
        await Task.WhenAll(
            EndServerAsync("PostgreSQL", _servers.Postgres.Process, wipe ? _servers.Postgres.KillAsync : _servers.Postgres.StopAsync, tell),
            EndServerAsync("RabbitMQ", _servers.Rabbit.Process, wipe ? _servers.Rabbit.KillAsync : _servers.Rabbit.StopAsync, tell),
            EndServerAsync("Redis", _servers.Redis.Process, wipe ? _servers.Redis.KillAsync : _servers.Redis.StopAsync, tell));
        if (folder.Remembered.InContainers == true) await new ComposeServers(folder).StopAsync(wipe, tell);
        await Leftovers.EndAsync(folder, CancellationToken.None);
        folder.Remembered.Workers = null;
        if (!wipe) return;

        RunFolderEnd.Wipe(folder);
        tell?.Invoke("data", $"deleted, with {folder}");
    }

    /// <summary>Brings the schema of a database up to date.</summary>
    /// <param name="postgres">An Npgsql connection string.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What the migration said.</returns>
    public static async Task<string> MigrateAsync(string postgres, CancellationToken cancellation = default)
    {
        var settings = new Dictionary<string, string?> { ["ConnectionStrings__Postgres"] = postgres };
        var result = await ProgramRun.RunAsync([Dotnet.Host, Checkout.ProgramOf(HostProcess.Api), "migrate"], settings, cancellation: cancellation);
        return result.Succeeded
            ? result.Output.Trim()
            : throw new LocalProblem($"The schema could not be brought up to date:\n  {(result.Output + result.Error).Trim().ReplaceLineEndings("\n  ")}");
    }

    private async Task StartServersAsync(ServerPlace place, Tell? tell, CancellationToken cancellation)
    {
        var inContainers = folder.Remembered.InContainers ?? place switch
        {
            ServerPlace.Docker => true,
            ServerPlace.Local => false,
            _ => !await Installation.IsCompleteAsync() && await ComposeServers.CanRunAsync(cancellation),
        };
        if (place == (inContainers ? ServerPlace.Local : ServerPlace.Docker))
        {
            throw new LocalProblem($"The servers of {folder} have their data {(inContainers ? "in containers" : "here")}. To change that, delete it first: ./queuescale down --wipe");
        }

        folder.Remembered.InContainers = inContainers; // before, so that `down` finds what a start that fails has left
        if (inContainers) await new ComposeServers(folder).StartAsync(tell, cancellation);
        else await LocalServers.StartHeldAsync(folder, tell, cancellation);
    }

    private async Task MigrateAsync(Tell? tell, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        await MigrateAsync(_servers.PostgresConnectionString(), cancellation);
        tell?.Invoke("schema", $"current, checked in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    private async Task EnsureAsync(string name, string program, Dictionary<string, string?> settings, Tell? tell, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var running = HostProcess.Find(folder, name);
        var host = running ?? await HostProcess.StartAsync(folder, name, program, settings, cancellation);
        await host.WaitUntilReadyAsync(cancellation: cancellation);
        var how = running is null ? $"ready in {clock.Elapsed.TotalSeconds:0.0} s" : "runs already";
        tell?.Invoke(name, $"{how} on {AddressOf(host)} (pid {host.Process.Pid})");
        if (running is not null && File.GetLastWriteTimeUtc(program) > running.Process.StartedAt) tell?.Invoke(name, "is of an older build; ./queuescale down, then up, runs the new one");
    }

    private Task EnsureWorkerAsync(WorkerGroup group, int number, Tell? tell, CancellationToken cancellation) =>
        EnsureAsync(group.NameOf(number), Checkout.ProgramOf(HostProcess.Worker), group.SettingsOf(group.NameOf(number), _servers, folder.DataRoot), tell, cancellation);

    private IEnumerable<HostProcess> RunningWorkers() =>
        from name in folder.ProcessNames()
        let worker = WorkerGroup.Parse(name)
        where worker is not null
        orderby worker.Value
        let process = HostProcess.Find(folder, name)
        where process is not null
        select process;

    private static string AddressOf(HostProcess host) => host.Url.ToString().TrimEnd('/');

    // What the API and the workers were told of the servers.
    private string? Addresses() =>
        folder.Remembered.KnownPort("postgres") is null || folder.Remembered.KnownPort("rabbitmq") is null
            ? null
            : _servers.PostgresConnectionString() + _servers.RabbitMqUri() + folder.Remembered.KnownPort("redis");

    private static Task StopAsync(IReadOnlyList<LocalProcess> processes, string how, Tell? tell) => Task.WhenAll(processes.Select(async process =>
    {
        var clock = Stopwatch.StartNew();
        var polite = await process.StopAsync(HostPatience);
        tell?.Invoke(process.Name, polite ? $"{how} in {clock.Elapsed.TotalSeconds:0.0} s" : $"killed: it did not end within {HostPatience.TotalSeconds:0} s. Its log: {process.LogPath}");
    }));

    private static async Task EndServerAsync(string what, LocalProcess? process, Func<Task> end, Tell? tell)
    {
        var clock = Stopwatch.StartNew();
        await end();
        if (process is not null) tell?.Invoke(what, $"stopped in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    // What tests left that are not running any more goes too; what running tests use does not.
    private async Task EndTestsAsync(bool wipe)
    {
        var below = folder.AllBelow();
        if (below.FirstOrDefault(RunFolderOwner.IsAlive) is { } used)
        {
            if (wipe) throw new LocalProblem($"Tests run in {used} ({RunFolderOwner.Describe(used)}). Wait for their end, or end them, then wipe.");
            return;
        }
        foreach (var left in below)
        {
            using var held = await left.LockAsync();
            await RunFolderEnd.KillAllAsync(left);
        }
    }
}
