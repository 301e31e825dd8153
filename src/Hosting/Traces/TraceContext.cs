using System.Diagnostics;
using System.Text;

namespace QueueScale.Hosting;

/// <summary>W3C trace context as it is stored with a job: <c>traceparent</c>, and behind a space <c>tracestate</c> where there is one.</summary>
public static class TraceContext
{
    private const int TraceParentLength = 55;

    /// <summary>W3C asks that this many characters of <c>tracestate</c> be passed on; a longer one is left out.</summary>
    private const int MaxTraceState = 512;

    /// <summary>The context of the request being handled: its span where this process traces, else whatever its caller sent, else null.</summary>
    public static string? OfRequest() => Activity.Current switch
    {
        null => null,
        { Source.Name: "" } unheard => Joined(unheard.ParentId, unheard.TraceStateString), // made for the log only: nobody will ever see a span with its id
        var span => Joined(span.Id, span.TraceStateString),
    };

    /// <returns>The stored context; the default one, which belongs to no trace, where nothing readable is stored.</returns>
    public static ActivityContext Read(string? stored) =>
        stored is { Length: >= TraceParentLength } && ActivityContext.TryParse(stored[..TraceParentLength], stored.Length > TraceParentLength ? stored[(TraceParentLength + 1)..] : null, isRemote: true, out var context)
            ? context
            : default;

    private static string? Joined(string? parent, string? state) =>
        parent is not { Length: TraceParentLength } || !ActivityContext.TryParse(parent, null, out _) ? null
        : state is { Length: > 0 and <= MaxTraceState } && Ascii.IsValid(state) ? $"{parent} {state}"
        : parent;
}
