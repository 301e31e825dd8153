using System.Diagnostics;
using System.Net.Sockets;

namespace QueueScale.Local;

/// <summary>The run folder's own epmd, which Erlang needs to find its nodes. Started beforehand, because one that RabbitMQ starts by itself stays behind.</summary>
internal sealed class PortMapper(RunFolder folder)
{
    private const string ProcessName = "epmd";

    public int Port => folder.Remembered.KnownPort(ProcessName) ?? throw new LocalProblem($"RabbitMQ was never started in {folder}. Start it: ./queuescale up");

    public LocalProcess? Process => LocalProcess.Find(folder, ProcessName);

    public async Task StartAsync(RabbitPrograms programs, CancellationToken cancellation)
    {
        if (Process is not null) return;
        var port = folder.Remembered.FreePortFor(ProcessName);
        var process = await LocalProcess.StartAsync(folder, new ProgramStart(ProcessName, programs.PortMapper, "-address", "127.0.0.1", "-port", $"{port}"), cancellation);

        for (var clock = Stopwatch.StartNew(); !await ListensAsync(port, cancellation); await Task.Delay(10, cancellation))
        {
            if (!process.IsRunning || clock.Elapsed.TotalSeconds > 10) throw new LocalProblem($"Erlang's epmd did not start. The last lines of {process.LogPath}:\n{process.LastLines()}");
        }
    }

    public async Task StopAsync()
    {
        if (Process is { } process) await process.StopAsync(TimeSpan.FromSeconds(5));
    }

    private static async Task<bool> ListensAsync(int port, CancellationToken cancellation)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port, cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
