using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A job's events as they happen, as server-sent events: the job as it is, then as it is after each change, until it is final.</summary>
/// <remarks>Source: the HTML standard, "Server-sent events". Each event carries the whole job without its input, so a reader needs none but the newest.</remarks>
internal sealed class EventStream(WatchDuty watches, ApiLife life, KeyBook keys, IOptions<JsonOptions> json)
{
    /// <summary>So often a silent stream says that it lives. Proxies close silent ones after a minute and more.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <param name="id">A job of the caller's.</param>
    /// <param name="context">The request.</param>
    /// <exception cref="Refusal">503: too many watch here already.</exception>
    public async Task WriteAsync(Guid id, HttpContext context)
    {
        using var watch = watches.TryBegin(id, context.Tenant())
            ?? throw new Refusal(503, "overloaded", "Too many callers watch jobs here.", "Read the job now and then instead, or try again later.") { RetryAfter = TimeSpan.FromSeconds(5) };
        Waiting.WaitOnPurpose(context);
        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no"; // for an nginx that is set otherwise than ours
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.Leaving);
        Job? last = null;
        ApiMetrics.StreamsOpen.Add(1);
        try
        {
            await response.WriteAsync(": events of a job\n\n", ended.Token);
            while (last?.State.IsFinal() != true)
            {
                await response.Body.FlushAsync(ended.Token);
                var seen = await watch.NextAsync(Heartbeat, ended.Token);
                if (!await keys.IsStillInAsync(context.Caller()))
                {
                    return;
                }

                if (seen is { } next)
                {
                    await response.WriteAsync($"event: {Kind(last, next.Job)}\nid: {next.Version}\ndata: {JsonSerializer.Serialize(next.Job, json.Value.SerializerOptions)}\n\n", ended.Token);
                    last = next.Job;
                }
                else
                {
                    await response.WriteAsync(": nothing new\n\n", ended.Token);
                }
            }
        }
        catch (OperationCanceledException) when (life.Leaving.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            await response.WriteAsync("retry: 500\n: this instance ends, ask again\n\n", context.RequestAborted);
        }
        finally
        {
            ApiMetrics.StreamsOpen.Add(-1);
        }
    }

    private static string Kind(Job? last, Job now) =>
        last is null || last.State != now.State || last.StartedAt != now.StartedAt ? "state"
        : last.CheckpointedAt != now.CheckpointedAt ? "checkpoint"
        : last.Progress != now.Progress ? "progress"
        : "state";
}
