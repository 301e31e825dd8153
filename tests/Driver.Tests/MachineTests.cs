using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace QueueScale.Driver.Tests;

/// <summary>The tools that change the ground on which a process stands.</summary>
public sealed class MachineTests(OwnServers servers) : IAsyncDisposable
{
    private static readonly Dictionary<string, string?> Nothing = [];

    private LocalProcess? _probe;

    public async ValueTask DisposeAsync()
    {
        if (_probe is not null) await _probe.KillAsync();
    }

    [Fact]
    public async Task Dropped_packets_are_silence_and_not_a_refusal_and_lifting_lets_it_go_on()
    {
        using var server = new EchoServer();
        await using var network = await NetworkNamespace.CreateAsync().OrSkipAsync();
        await using var proxy = TcpProxy.Start(server.Address, new IPEndPoint(network.HostAddress, 0));
        _probe = await servers.ProbeAsync(network.Prefix, Nothing, "connect", $"{network.HostAddress}", $"{proxy.Address.Port}");
        await UntilItSays("answered");

        await network.BlockAsync();
        await UntilItSays("silence");
        await network.LiftAsync();
        await UntilItSays("answered");

        await network.BlockAsync(outgoing: false);
        await UntilItSays("silence");
        await network.LiftAsync();
        await UntilItSays("answered");
        await network.BlockAsync(incoming: false);
        await UntilItSays("silence");
        await network.LiftAsync();

        await proxy.DisposeAsync();
        await UntilItSays("ConnectionRefused"); // for the difference
    }

    [Fact]
    public async Task An_open_connection_survives_a_block_that_it_outlasts()
    {
        await using var network = await NetworkNamespace.CreateAsync().OrSkipAsync();
        using var inside = new TcpListener(network.HostAddress, 0);
        inside.Start();
        var port = ((IPEndPoint)inside.LocalEndpoint).Port;
        _probe = await servers.ProbeAsync(network.Prefix, Nothing, "connect", $"{network.HostAddress}", $"{port}");

        using var connection = await inside.AcceptSocketAsync();
        Assert.Equal(network.InsideAddress, ((IPEndPoint)connection.RemoteEndPoint!).Address);
        Assert.Equal(1, await connection.ReceiveAsync(new byte[1]));
        await network.BlockAsync();
        await connection.SendAsync(new byte[1]); // nobody says that it is lost
        await Task.Delay(300);
        await network.LiftAsync();
        await UntilItSays("answered"); // sent again by TCP, within the probe's second
    }

    [Fact]
    public async Task An_API_inside_is_reached_from_outside_and_can_lose_PostgreSQL_alone()
    {
        await using var network = await NetworkNamespace.CreateAsync().OrSkipAsync();
        await using var postgres = TcpProxy.Start(() => servers.All.Postgres.Port, network.HostAddress);
        await using var rabbit = TcpProxy.Start(() => servers.All.Rabbit.Port, network.HostAddress);
        await LocalSystem.MigrateAsync(servers.All.PostgresConnectionString());
        var settings = HostSettings.OfApi(
            new NpgsqlConnectionStringBuilder(servers.All.PostgresConnectionString()) { Host = $"{network.HostAddress}", Port = postgres.Address.Port }.ConnectionString,
            new UriBuilder(servers.All.RabbitMqUri()) { Host = $"{network.HostAddress}", Port = rabbit.Address.Port }.ToString(),
            "qs_key-of-the-tests-0123456789");
        var api = await HostProcess.StartAsync(servers.Folder, "api", Checkout.ProgramOf(HostProcess.Api), settings, network.Place);
        _probe = api.Process;
        await api.WaitUntilReadyAsync();
        Assert.True(postgres.Connections > 0);

        await network.BlockAsync(port: postgres.Address.Port);
        using (var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) })
        {
            await Waiting.UntilAsync(async () =>
            {
                using var answer = await http.GetAsync(new Uri(api.Url, "health/ready"));
                return answer.StatusCode == HttpStatusCode.ServiceUnavailable; // what it knows is up to a second old
            });
            await http.GetStringAsync(new Uri(api.Url, "health/live"));
        }
        await network.LiftAsync();
        await api.WaitUntilReadyAsync();
    }

    [Fact]
    public async Task A_namespace_is_gone_with_its_wire_also_when_its_owner_was_killed()
    {
        await (await NetworkNamespace.CreateAsync().OrSkipAsync()).DisposeAsync();
        Assert.DoesNotContain(Directory.GetFiles("/run/netns"), IsOurs);

        await MissingPrivilege.RunAsync("test", [FaultPrograms.Ip, "netns", "add", Left]);
        await MissingPrivilege.RunAsync("test", [FaultPrograms.Ip, "link", "add", $"qs{NobodysPid}x1", "type", "veth", "peer", "name", "eth0", "netns", Left]);
        await using var next = await NetworkNamespace.CreateAsync();
        Assert.False(File.Exists("/run/netns/" + Left));
        Assert.False(Directory.Exists($"/sys/class/net/qs{NobodysPid}x1"));
        Assert.Single(Directory.GetFiles("/run/netns"), IsOurs);
    }

    [Fact]
    public async Task A_small_disk_keeps_the_content_fills_up_and_is_freed()
    {
        var folder = Directory.CreateTempSubdirectory("queuescale-disk ").FullName; // with a space
        await File.WriteAllTextAsync(Path.Combine(folder, "before"), "kept");
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite | UnixFileMode.OtherExecute);
        var mode = File.GetUnixFileMode(folder);
        try
        {
            await using (var disk = await TmpfsDisk.MountAsync(folder, 4 << 20).OrSkipAsync())
            {
                Assert.Equal(mode, File.GetUnixFileMode(folder));
                Assert.Equal("kept", await File.ReadAllTextAsync(Path.Combine(folder, "before")));
                disk.Fill();
                await Assert.ThrowsAsync<IOException>(() => File.WriteAllTextAsync(Path.Combine(folder, "more"), "x"));
                disk.Free();
                await File.WriteAllTextAsync(Path.Combine(folder, "more"), new string('x', 3 << 20));

                await using var busy = File.OpenRead(Path.Combine(folder, "more")); // ends after the disk
                await disk.DisposeAsync();
                Assert.Equal(["before"], Directory.EnumerateFiles(folder).Select(Path.GetFileName));
            }

            await MissingPrivilege.RunAsync("test", ["mount", "-t", "tmpfs", Left, folder]);
            Assert.Empty(Directory.EnumerateFiles(folder));
            await using (await TmpfsDisk.MountAsync(Path.Combine(folder, "other"), 1 << 20)) { }
            Assert.True(File.Exists(Path.Combine(folder, "before"))); // what the dead one left has been unmounted
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_process_that_wants_more_than_its_limit_is_killed_and_that_is_told()
    {
        await using var limit = await MemoryLimit.CreateAsync(64 << 20).OrSkipAsync();
        IReadOnlyList<string> line = [.. limit.Prefix, "sh", "-c", "ulimit -v 2000000; exec tail /dev/zero"]; // one endless line, kept in memory
        var greedy = await LocalProcess.StartAsync(servers.Folder, new ProgramStart("greedy", line[0], [.. line.Skip(1)]));
        Assert.Equal(137, await greedy.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(1, limit.Killed);
    }

    [Fact]
    public async Task A_running_process_can_be_put_under_a_limit_and_outlives_it()
    {
        var limit = await MemoryLimit.CreateAsync(64 << 20).OrSkipAsync();
        var process = await LocalProcess.StartAsync(servers.Folder, new ProgramStart("limited", "sh", "-c", "sleep 1000 & exec sleep 1000"));
        await Waiting.UntilAsync(() => process.Tree().Count == 2);
        var before = await File.ReadAllTextAsync($"/proc/{process.Pid}/cgroup");
        limit.Put(process);
        Assert.All(process.Tree(), member => Assert.Contains(OwnName.Prefix, File.ReadAllText($"/proc/{member.Pid}/cgroup"), StringComparison.Ordinal));

        await limit.DisposeAsync();
        Assert.Equal(before, await File.ReadAllTextAsync($"/proc/{process.Pid}/cgroup"));
        Assert.Equal(2, process.Tree().Count);
        await process.KillAsync();
    }

    [Fact]
    public async Task What_a_dead_owner_left_in_a_cgroup_is_ended_with_it()
    {
        await using var limit = await MemoryLimit.CreateAsync(64 << 20).OrSkipAsync();
        var left = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(limit.Group)!, Left)).FullName;
        var process = await LocalProcess.StartAsync(servers.Folder, new ProgramStart("left", "sleep", "1000"));
        await File.WriteAllTextAsync(Path.Combine(left, "cgroup.procs"), $"{process.Pid}");

        await using var next = await MemoryLimit.CreateAsync(64 << 20);
        Assert.False(Directory.Exists(left));
        Assert.False(process.IsRunning);
        Assert.True(Directory.Exists(limit.Group));
    }

    [Fact]
    public async Task A_faked_clock_is_wrong_jumps_and_leaves_the_monotonic_one_alone()
    {
        using var clock = new FakeClock(TimeSpan.FromHours(1));
        _probe = await servers.ProbeAsync([], clock.Environment, "clocks");
        await UntilAheadAsync(TimeSpan.FromHours(1));
        var monotonic = Clocks().Monotonic;

        clock.Jump(TimeSpan.FromMinutes(-10));
        await UntilAheadAsync(TimeSpan.FromMinutes(-10));
        var before = Clocks().Monotonic;
        Assert.InRange(before - monotonic, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        var lines = _probe.LastLines(10_000).Count(letter => letter == '\n');
        await Waiting.UntilAsync(() => Clocks().Monotonic > before + TimeSpan.FromSeconds(2)); // its waits still end
        Assert.InRange(_probe.LastLines(10_000).Count(letter => letter == '\n') - lines, 2, 15); // and not sooner than they should
        clock.Jump(TimeSpan.Zero);
        await UntilAheadAsync(TimeSpan.Zero);

        var memory = $"/dev/shm/faketime_shm_{_probe.Pid}";
        Assert.True(File.Exists(memory));
        await _probe.KillAsync();
        clock.Dispose();
        Assert.False(File.Exists(memory));
    }

    // Above the highest that a kernel gives.
    private const int NobodysPid = (1 << 22) + 1;
    private static readonly string Left = $"{OwnName.Prefix}{NobodysPid}-1-1";

    private static bool IsOurs(string file) => Path.GetFileName(file).StartsWith($"{OwnName.Prefix}{Environment.ProcessId}-", StringComparison.Ordinal);

    private string LastLine() => _probe!.LastLines(1).Trim();

    private Task UntilItSays(string line) => Waiting.UntilAsync(() => LastLine() == line, () => $"{line}, but:\n{_probe!.LastLines()}");

    private Task UntilAheadAsync(TimeSpan ahead) =>
        Waiting.UntilAsync(() => (Clocks().Wall - DateTime.UtcNow - ahead).Duration() < TimeSpan.FromSeconds(2), () => $"{ahead}, but:\n{_probe!.LastLines()}");

    private (DateTime Wall, TimeSpan Monotonic) Clocks() =>
        LastLine().Split(' ') is [var wall, var monotonic] && long.TryParse(wall, out var first)
            ? (DateTime.UnixEpoch.AddMilliseconds(first), TimeSpan.FromMilliseconds(long.Parse(monotonic, CultureInfo.InvariantCulture)))
            : default;
}
