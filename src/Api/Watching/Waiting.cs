using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The header <c>Prefer: wait=N</c>: the answer is held back for up to N seconds until the job is final.</summary>
/// <remarks>Source: RFC 7240.</remarks>
internal sealed class Waiting(WatchDuty watches, ApiLife life, TimeProvider clock)
{
    public const string Prefer = "Prefer";
    public const string Applied = "Preference-Applied";

    /// <summary>A longer wait is cut to this; <c>Preference-Applied</c> says so. Most proxies give up on an answer after a minute.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(50);

    /// <summary>Reads the header, and promises in the answer what it will get.</summary>
    /// <returns>Null where nothing of the kind is preferred.</returns>
    /// <exception cref="Refusal">400: it says wait, and not how long.</exception>
    public static TimeSpan? Wanted(HttpContext context)
    {
        var wait = context.Request.Headers[Prefer].SelectMany(value => value!.Split(',', StringSplitOptions.TrimEntries))
            .FirstOrDefault(preference => preference.StartsWith("wait", StringComparison.OrdinalIgnoreCase) && preference.Length > 4 && preference[4] is '=' or ' ');
        if (wait is null)
        {
            return null;
        }

        if (!uint.TryParse(wait[4..].Split(';')[0].TrimStart(' ').TrimStart('=').Trim(' ', '"'), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            throw Refusal.Unreadable($"The header {Prefer} says '{wait}'; it must be wait=N with N in whole seconds, such as wait=10.");
        }

        var granted = TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds));
        context.Response.Headers[Applied] = $"wait={granted.TotalSeconds}";
        return granted;
    }

    /// <summary>Waits until the job is final.</summary>
    /// <param name="job">Which.</param>
    /// <param name="wait">For how long.</param>
    /// <param name="held">About how many bytes the request keeps meanwhile.</param>
    /// <param name="context">The request.</param>
    /// <returns>What was seen of it last, without its input; null where nothing was seen in that time.</returns>
    public async Task<StoredJob?> UntilFinalAsync(Guid job, TimeSpan wait, long held, HttpContext context)
    {
        WaitOnPurpose(context);
        using var watch = watches.TryBegin(job, context.Tenant(), held);
        if (watch is null)
        {
            context.Response.Headers.Remove(Applied); // too many wait here already
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.Leaving);
        StoredJob? last = null;
        var begun = clock.GetTimestamp();
        try
        {
            while (watch is not null && last?.Job.State.IsFinal() != true && wait - clock.GetElapsedTime(begun) is var left && left > TimeSpan.Zero && await watch.NextAsync(left, ended.Token) is { } next)
            {
                last = next;
            }
        }
        catch (OperationCanceledException) when (life.Leaving.IsCancellationRequested)
        {
            // The caller gets what is known and asks another instance.
        }

        return last;
    }

    /// <summary>A request that waits on purpose says nothing of how fast the API is, and takes as long as it takes.</summary>
    public static void WaitOnPurpose(HttpContext context)
    {
        RequestTimeout.Lift(context);
        if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
        {
            metrics.MetricsDisabled = true;
        }
    }
}
