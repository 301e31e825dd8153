using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace QueueScale.Hosting;

/// <summary>Runs a host to its end. What stops it at the start for a reason that its operator can mend is one line, not a stack trace.</summary>
public static class HostProgram
{
    /// <summary>The whole time from SIGTERM to the exit of the process. Grace periods of whatever runs it must be longer.</summary>
    public static readonly TimeSpan ShutdownBudget = TimeSpan.FromSeconds(25);

    /// <param name="program">What it calls itself.</param>
    /// <param name="args">Its arguments; <see cref="HealthCall.Argument"/> alone asks a running one.</param>
    /// <param name="build">Makes the host.</param>
    /// <returns>The exit code: 0 after a clean end, 1 otherwise.</returns>
    public static async Task<int> RunAsync(string program, string[] args, Func<Task<IHost>> build)
    {
        if (args is [HealthCall.Argument])
        {
            return await HealthCall.RunAsync();
        }

        try
        {
            using var host = await build();
            EndInTime(host);
            await host.RunAsync();
            return Environment.ExitCode;
        }
        catch (OptionsValidationException error)
        {
            return Refuse(program, string.Join(" ", error.Failures));
        }
        catch (Exception error) when (error is BadSetting || IsBinding(error))
        {
            return Refuse(program, error.InnerException is FormatException inner ? $"{error.Message} {inner.Message}" : error.Message);
        }
        catch (IOException error) when (error.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            return Refuse(program, $"{error.Message} Set ASPNETCORE_URLS to another address.");
        }
        catch (Exception error) when (error is SocketException || error is FormatException { TargetSite.DeclaringType.Name: nameof(BindingAddress) })
        {
            return Refuse(program, $"It cannot listen: {error.Message.TrimEnd('.')}. Set ASPNETCORE_URLS to addresses of this machine, such as 'http://0.0.0.0:8080'.");
        }
    }

    /// <summary>Whatever still waits for a server that does not answer when the time is over is not waited for: the process ends as if killed, which loses nothing.</summary>
    private static void EndInTime(IHost host) => host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(() =>
    {
        var budget = host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout;
        new Thread(() => // not a timer: whatever holds the end up may have taken the thread pool, too
        {
            Thread.Sleep(budget);
            Console.Error.WriteLine($"Not ended within {budget.TotalSeconds:0} s after SIGTERM: the process ends itself now. What it has not handed over is taken from it.");
            Process.GetCurrentProcess().Kill();
        }) { IsBackground = true, Name = "end in time" }.Start();
    });

    /// <summary>Stops a starting process with one line.</summary>
    public static int Refuse(string program, string reason)
    {
        Console.Error.WriteLine($"{program}: {reason.ReplaceLineEndings(" ")}");
        return 1;
    }

    private static bool IsBinding(Exception error) =>
        error is InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" };
}
