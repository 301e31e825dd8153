using System.Net.Http.Headers;
using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>Callers that read the events of jobs to their end, and ask again where an API says that it goes.</summary>
public sealed class EventReaders : IDisposable
{
    private const string Goodbye = "retry: 500";

    private readonly HttpClient http;
    private readonly Task[] readers;
    private int goodbyes;

    /// <param name="address">The address behind which the APIs are.</param>
    /// <param name="jobs">The jobs.</param>
    /// <param name="each">Readers of each.</param>
    public EventReaders(Uri address, IReadOnlyList<Guid> jobs, int each)
    {
        http = new HttpClient { BaseAddress = address, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Stage.Key) } };
        readers = [.. jobs.SelectMany(job => Enumerable.Range(0, each).Select(_ => ReadAsync(job)))];
    }

    /// <summary>How often an API said that it goes.</summary>
    public int Goodbyes => goodbyes;

    /// <summary>Returns when everybody has heard of the end of its job. Fails where a stream broke off, or told of less progress than before.</summary>
    public Task AllHeardAsync() => Task.WhenAll(readers);

    public void Dispose() => http.Dispose();

    private async Task ReadAsync(Guid job)
    {
        var (done, isFinal) = (0L, false);
        while (!isFinal)
        {
            using var answer = await http.GetAsync(new Uri($"v1/jobs/{job}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(200, (int)answer.StatusCode);
            using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
            var parted = false;
            while (await lines.ReadLineAsync() is { } line)
            {
                parted |= line == Goodbye;
                if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    var told = JsonElement.Parse(line[6..]);
                    var now = told.TryGetProperty("progress", out var progress) ? progress.GetProperty("done").GetInt64() : 0;
                    Assert.InRange(now, done, long.MaxValue);
                    (done, isFinal) = (now, told.GetProperty("state").GetString() is "succeeded" or "failed" or "cancelled");
                }
            }

            Assert.True(parted || isFinal, "The stream ended without a word.");
            if (parted && !isFinal)
            {
                Interlocked.Increment(ref goodbyes);
                await Task.Delay(500);
            }
        }
    }
}
