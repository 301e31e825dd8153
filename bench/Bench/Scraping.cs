namespace QueueScale.Bench;

/// <summary>Reads a process's metrics once a second, as Prometheus would every few.</summary>
internal sealed class Scraping : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly Task loop;

    public Scraping(Uri process) => loop = LoopAsync(new Uri(process, "metrics"));

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop;
        stop.Dispose();
    }

    private async Task LoopAsync(Uri metrics)
    {
        using var http = new HttpClient();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                await http.GetStringAsync(metrics, stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // enough
        }
    }
}
