using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Cache;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The API's life: check the schema, serve; after SIGTERM fail readiness, serve on for a while, then finish what was accepted.</summary>
internal sealed partial class ApiLife(
    Database database, FirstKey firstKey, Rehearsal rehearsal, Reconciliation reconciliation, BrokerLink link, WakeUpBus bus, Submissions submissions, WakeUps wakeUps, IOptions<ApiOptions> options,
    IHostApplicationLifetime application, ILogger<ApiLife> logger, RedisLink? redis = null) : IHostedLifecycleService
{
    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource leaving = new();
    private Task starting = Task.CompletedTask;

    /// <summary>Whether the schema was found to be the right one.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>Whether the process is on its way out.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>Cancelled when proxies have had the time to notice that the process is on its way out: whoever waits here is answered, and asks another one.</summary>
    public CancellationToken Leaving => leaving.Token;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        ApiMetrics.Expect(withRedis: redis is not null);
        link.Returned = () => reconciliation.ForgetProbesAsync(CancellationToken.None);
        _ = bus.StartAsync(stopping.Token); // a bus without receive endpoints connects with its first send
        starting = Task.Run(CheckSchemaAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        IsDraining = true;
        Log.Draining(logger, options.Value.DrainDelay);
        await Task.Delay(HasStarted ? options.Value.DrainDelay : TimeSpan.Zero, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await leaving.CancelAsync();
    }

    /// <summary>While the API is on its way out each answer ends its connection: so none that a proxy keeps is in use when the web server stops.</summary>
    public Task CloseWhileDrainingAsync(HttpContext context, RequestDelegate next)
    {
        if (IsDraining)
        {
            context.Response.Headers.Connection = "close";
        }

        return next(context);
    }

    /// <summary>Runs after the web server has finished its requests.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync();
        await starting;
        await submissions.DisposeAsync();
        await wakeUps.DisposeAsync();
        await Task.WhenAny(bus.StopAsync(cancellationToken), Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None));
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task CheckSchemaAsync()
    {
        for (var told = false; !stopping.IsCancellationRequested;)
        {
            try
            {
                await Schema.CheckAsync(database.General, stopping.Token);
                await firstKey.MakeAsync(stopping.Token);
                await rehearsal.RunAsync(stopping.Token);
                HasStarted = true;
                Log.Started(logger);
                return;
            }
            catch (SchemaMismatch mismatch)
            {
                Environment.ExitCode = HostProgram.Refuse("queuescale-api", mismatch.Message);
                application.StopApplication();
                return;
            }
            catch (Exception error) when (!stopping.IsCancellationRequested)
            {
                if (!told)
                {
                    told = true;
                    Log.WaitingForPostgres(logger, error.Message);
                }

                await Task.Delay(TimeSpan.FromSeconds(1), stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return; // told to stop before PostgreSQL answered
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3101, LogLevel.Information, "The API takes jobs")]
        public static partial void Started(ILogger logger);

        [LoggerMessage(3102, LogLevel.Information, "Draining: readiness fails from now on, requests are served for another {Delay}")]
        public static partial void Draining(ILogger logger, TimeSpan delay);

        [LoggerMessage(3103, LogLevel.Warning, "PostgreSQL does not answer: {Reason}. The API is ready as soon as it does; check ConnectionStrings:Postgres if this stays so")]
        public static partial void WaitingForPostgres(ILogger logger, string reason);
    }
}
