using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace QueueScale.Hosting;

/// <summary>Gives ASP.NET Core's span of a request the name and the attributes that OpenTelemetry asks for, and leaves out probes and scrapes.</summary>
/// <remarks>ASP.NET Core 10 does the first half itself, behind a switch. OpenTelemetry's own instrumentation is not in the package feed.</remarks>
internal sealed class RequestSpans(RequestDelegate next)
{
    /// <summary>Lets ASP.NET Core write method, scheme, path and address into its spans.</summary>
    public static void Announce() => AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);

    public async Task InvokeAsync(HttpContext context)
    {
        if (Activity.Current is not { } span)
        {
            await next(context);
            return;
        }

        if (context.Request.Path.StartsWithSegments("/health") || context.Request.Path.StartsWithSegments("/metrics"))
        {
            span.IsAllDataRequested = false;
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }

        await next(context);
        if (span.IsAllDataRequested)
        {
            Describe(span, context);
        }
    }

    private static void Describe(Activity span, HttpContext context)
    {
        var method = span.GetTagItem("http.request.method") is string known and not "_OTHER" ? known : "HTTP";
        span.DisplayName = method;
        if (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route })
        {
            span.DisplayName = $"{method} {route}";
            span.SetTag("http.route", route);
        }

        // As a trusted proxy says, where there is one: ASP.NET Core has written down what it saw before that was looked at.
        span.SetTag("url.scheme", context.Request.Scheme);
        span.SetTag("client.address", context.Connection.RemoteIpAddress?.ToString());
        var status = context.Response.StatusCode;
        span.SetTag("http.response.status_code", status);
        if (status >= 500)
        {
            span.SetStatus(ActivityStatusCode.Error);
            span.SetTag(Traces.ErrorType, status.ToString(CultureInfo.InvariantCulture));
        }
    }
}
