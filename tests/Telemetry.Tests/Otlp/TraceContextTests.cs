using System.Diagnostics;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>What of a request's trace context is stored with its jobs.</summary>
public sealed class TraceContextTests : IDisposable
{
    private const string Sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private readonly ActivitySource source = new($"Test.{Guid.NewGuid()}");
    private readonly ActivityListener listener;

    public TraceContextTests()
    {
        listener = new ActivityListener { ShouldListenTo = heard => heard == source, Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded };
        ActivitySource.AddActivityListener(listener);
    }

    public void Dispose()
    {
        listener.Dispose();
        source.Dispose();
    }

    [Fact]
    public void Nothing_where_nobody_traces()
    {
        Assert.Null(TraceContext.OfRequest());
        using var unheard = new Activity("request").Start();
        Assert.Null(TraceContext.OfRequest());
    }

    [Fact]
    public void The_callers_own_where_only_the_caller_traces()
    {
        using var unheard = Unheard(Sent, "a=1");
        Assert.Equal($"{Sent} a=1", TraceContext.OfRequest());
    }

    [Theory]
    [InlineData("|hierarchical.1.")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-and-more")]
    [InlineData("00-ZZZ7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    public void Nothing_where_the_caller_sends_something_else(string parent)
    {
        using var unheard = Unheard(parent, null);
        Assert.Null(TraceContext.OfRequest());
    }

    [Fact]
    public void The_requests_span_where_this_process_traces()
    {
        Assert.True(ActivityContext.TryParse(Sent, "a=1", out var parent));
        using var span = source.StartActivity("request", ActivityKind.Server, parent)!;
        Assert.Equal($"{span.Id} a=1", TraceContext.OfRequest());
        Assert.Equal(span.Context, TraceContext.Read(TraceContext.OfRequest()), (one, other) => (one.TraceId, one.SpanId, one.TraceFlags, one.TraceState) == (other.TraceId, other.SpanId, other.TraceFlags, other.TraceState));
    }

    [Fact]
    public void A_state_that_is_too_long_or_no_plain_text_is_left_out()
    {
        foreach (var state in new[] { $"a={new string('x', 511)}", "a=ä" })
        {
            using var unheard = Unheard(Sent, state);
            Assert.Equal(Sent, TraceContext.OfRequest());
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("00-ZZZ7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1")]
    public void What_is_not_readable_belongs_to_no_trace(string? stored) => Assert.Equal(default, TraceContext.Read(stored));

    private static Activity Unheard(string parent, string? state)
    {
        var request = new Activity("request").SetParentId(parent).Start();
        request.TraceStateString = state;
        return request;
    }
}
