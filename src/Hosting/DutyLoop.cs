using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace QueueScale.Hosting;

/// <summary>A background task of maintenance: one pass after another. Several processes may run the same duty at once.</summary>
public abstract partial class DutyLoop(TimeSpan interval, TimeProvider clock, ILogger logger) : BackgroundService
{
    /// <summary>Runs one pass and returns how many jobs it touched. Public, so that a test can run exactly one.</summary>
    public abstract Task<int> RunOnceAsync(CancellationToken cancellation);

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.Delay(interval * Random.Shared.NextDouble(), clock, stoppingToken); // replicas start out of step
            using var timer = new PeriodicTimer(interval, clock);
            var failing = false;
            do
            {
                failing = await GuardedPassAsync(failing, stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The normal way to end.
        }
    }

    /// <returns>Whether the pass failed. The next tick is the retry; only the first failure in a row is told.</returns>
    private async Task<bool> GuardedPassAsync(bool failing, CancellationToken stopping)
    {
        try
        {
            if (await RunOnceAsync(stopping) is > 0 and var touched)
            {
                Log.PassDone(logger, GetType().Name, touched);
            }

            if (failing)
            {
                Log.PassesAgain(logger, GetType().Name);
            }

            return false;
        }
        catch (Exception error) when (!stopping.IsCancellationRequested)
        {
            if (!failing)
            {
                Log.PassFailed(logger, GetType().Name, error.Message, error);
            }

            return true;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1001, LogLevel.Debug, "{Duty} touched {Jobs} jobs")]
        public static partial void PassDone(ILogger logger, string duty, int jobs);

        [LoggerMessage(1002, LogLevel.Warning, "{Duty} failed: {Reason}. It is tried again at every pass")]
        public static partial void PassFailed(ILogger logger, string duty, string reason, Exception error);

        [LoggerMessage(1003, LogLevel.Information, "{Duty} works again")]
        public static partial void PassesAgain(ILogger logger, string duty);
    }
}
