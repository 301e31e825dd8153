using System.Net;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Turns every refusal and every error into problem+json.</summary>
internal sealed partial class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        Refusal refusal;
        try
        {
            await next(context);
            if (context.Response is not { StatusCode: >= 400, HasStarted: false, ContentLength: null, ContentType: null })
            {
                return;
            }

            refusal = Of(context.Response.StatusCode, context.Request);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            if (!context.Response.HasStarted)
            {
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest; // nobody reads it; metrics and spans do
            }

            Log.CallerGone(logger, context.Request.Method, context.Request.Path, context.Connection.RemoteIpAddress); // whatever was stored is found by reconcile
            return;
        }
        catch (Exception error)
        {
            refusal = Of(error, context.Request);
        }

        ApiMetrics.Refused.Add(1, new KeyValuePair<string, object?>("reason", refusal.Kind));
        if (refusal.Status < 500)
        {
            Log.Refused(logger, context.Request.Method, context.Request.Path, context.Connection.RemoteIpAddress, refusal.Status, refusal.Kind); // not its text, which may quote the caller
        }

        await ProblemWriter.WriteAsync(context, refusal);
    }

    private Refusal Of(Exception error, HttpRequest request)
    {
        switch (error)
        {
            case Refusal refusal:
                return refusal;
            case BadHttpRequestException bad:
                return bad.StatusCode == 413 ? Refusal.TooLarge(bad.Message) : new Refusal(bad.StatusCode, "unreadable", "The request cannot be read.", bad.Message);
            case DataRefused refused:
                return Refusal.Invalid(InvalidFields.Of("/input", $"cannot be stored: {refused.Message}"));
            case StoreOverloaded:
                return new Refusal(503, "overloaded", "Too much waits to be written.", "Nothing was stored. Try again later.");
            case StoreUnavailable:
                Log.StoreUnavailable(logger, request.Method, request.Path, error.InnerException?.Message ?? error.Message);
                return Refusal.Unavailable("Whether the write was done is unknown. Try again later.");
            case var _ when BatchErrors.IsPassing(error):
                Log.StoreUnavailable(logger, request.Method, request.Path, error.Message);
                return Refusal.Unavailable("Try again later.");
            default:
                Log.Unexpected(logger, request.Method, request.Path, error);
                return new Refusal(500, "internal", "The request met a fault in QueueScale.", "The log of the API holds it under traceId. Whether a write was done is unknown.");
        }
    }

    private static Refusal Of(int status, HttpRequest request) => status switch
    {
        404 => Refusal.NotFound($"{request.Path} is not an address of this API. /openapi/v1.json lists them."),
        405 => new Refusal(405, "method-not-allowed", "The method is not allowed here.", $"{request.Path} does not take {request.Method}."),
        415 => new Refusal(415, "unsupported-media-type", "The content type is not supported.", "Send application/json."),
        _ => new Refusal(status, "refused", "The request was refused."),
    };

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Warning, "{Method} {Path} answered 503: {Reason}")]
        public static partial void StoreUnavailable(ILogger logger, string method, string path, string reason);

        [LoggerMessage(3002, LogLevel.Error, "{Method} {Path} met a fault")]
        public static partial void Unexpected(ILogger logger, string method, string path, Exception error);

        [LoggerMessage(3003, LogLevel.Information, "{Method} {Path} of {Caller} refused with {Status}: {Reason}")]
        public static partial void Refused(ILogger logger, string method, string path, IPAddress? caller, int status, string reason);

        [LoggerMessage(3004, LogLevel.Information, "{Method} {Path} was broken off by its caller, {Caller}")]
        public static partial void CallerGone(ILogger logger, string method, string path, IPAddress? caller);
    }
}
