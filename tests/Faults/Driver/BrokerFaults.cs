using System.Diagnostics;

namespace QueueScale.Faults;

/// <summary>What can happen to RabbitMQ, beyond <see cref="RabbitServer.KillAsync"/>, <see cref="RabbitServer.StopAsync"/> and <see cref="RabbitServer.StartAsync"/>.</summary>
public sealed class BrokerFaults(RabbitServer server)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private LocalProcess Process => server.Process ?? throw new InvalidOperationException("RabbitMQ does not run.");

    /// <summary>SIGSTOP to the broker and all its children.</summary>
    public void Freeze() => Process.SignalAll(Signal.Stop);

    /// <summary>SIGCONT to them.</summary>
    public void Thaw() => Process.SignalAll(Signal.Continue);

    /// <summary>The whole disk is lost: kills it, deletes all its data, and starts it anew on the same port, with the same user.</summary>
    /// <param name="vhosts">To be made again, empty, beside the default one.</param>
    public async Task WipeAsync(params IReadOnlyList<string> vhosts)
    {
        await server.KillAsync();
        server.DeleteData();
        await server.StartAsync();
        foreach (var vhost in vhosts) await server.CreateVhostAsync(vhost);
    }

    /// <summary>Memory counts as used up: publishers are blocked. Returns when the alarm is on.</summary>
    public async Task RaiseMemoryAlarmAsync()
    {
        await server.ControlAsync(["set_vm_memory_high_watermark", "0"]);
        await UntilAlarmedAsync(true);
    }

    /// <summary>The disk counts as full: publishers are blocked. Returns when the alarm is on.</summary>
    public async Task RaiseDiskAlarmAsync()
    {
        await server.ControlAsync(["set_disk_free_limit", "1000000000000000"]);
        await UntilAlarmedAsync(true);
    }

    /// <summary>Ends both alarms: RabbitMQ's own limits again. Returns when none is on.</summary>
    public async Task EndAlarmsAsync()
    {
        await server.ControlAsync(["set_vm_memory_high_watermark", "0.4"]);
        await server.ControlAsync(["set_disk_free_limit", "50MB"]);
        await UntilAlarmedAsync(false);
    }

    private async Task UntilAlarmedAsync(bool alarmed)
    {
        using var client = server.ManagementClient();
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(Pause))
        {
            using var answer = await client.GetAsync("api/health/checks/alarms"); // 503 while there is one
            if (answer.IsSuccessStatusCode != alarmed) return;
            if (clock.Elapsed > Patience) throw new LocalProblem($"RabbitMQ did not {(alarmed ? "raise" : "end")} its alarm within {Patience.TotalSeconds:0} s.");
        }
    }
}
