using System.Text.Json;
using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>One refusal of each kind, for the calls that answer with it.</summary>
internal static class ProblemExamples
{
    private static readonly JsonSerializerOptions Json = ApiJson.NewOptions();

    /// <summary>What names no calls, any call may answer.</summary>
    private static readonly (int Status, string Kind, string Title, string Detail, string? At, string[]? Calls)[] All =
    [
        (400, "unreadable", "The request cannot be read.", "The query holds what this call does not take.", "nonsense", null),
        (401, "unauthorized", "A key is needed.", "Send the header 'Authorization: Bearer qs_…' with a key that is valid here.", null, null),
        (403, "forbidden", "The key does not allow this.", "It needs the scope submit; this key has read. Use another key, or have one made with this scope.", null, null),
        (404, "not-found", "There is no such thing here.", "There is no job '0192f0c1-8a3b-7c4d-9e5f-60718293a4b5'.", null, null),
        (409, "job-is-final", "The job is final.", "It is succeeded and can no longer be cancelled.", null, ["CancelJob"]),
        (409, "job-has-not-failed", "The job has not failed.", "It is running; only a failed or cancelled job is run again.", null, ["RetryJob"]),
        (409, "unique-key-taken", "Another job has the unique key.", "Job 0192f0c1-8a3b-7c4d-9e5f-60718293a4b5, which is not final, has the key 'invoice-4711'. Wait until it has ended, or cancel it.", null, ["RetryJob"]),
        (409, "key-has-ended", "The key has ended.", "Key 'k3y0f1tself0' was revoked or is over. Make a new one with POST /v1/keys.", null, ["RotateKey"]),
        (413, "too-large", "The request is too large.", "The body has more than 278528 bytes.", "", null),
        (415, "unsupported-media-type", "The content type is not supported.", "Send application/json.", null, null),
        (422, "invalid-job", "The job is not valid.", "Nothing was stored. See errors for each member, of which at most 100 are named.", "/type", ["SubmitJob", "SubmitBatch"]),
        (422, "idempotency-key-reused", "The idempotency key was used for something else.", "Nothing was stored. Another submission of yours carried the same Idempotency-Key; send this one with a new key, or the earlier one byte for byte.", null, ["SubmitJob", "SubmitBatch"]),
        (422, "invalid-schedule", "The schedule is not valid.", "Nothing was changed. See errors for each member, of which at most 100 are named.", "/cron", ["PutSchedule"]),
        (422, "invalid-key", "The key is not valid.", "Nothing was made. See errors for each member, of which at most 100 are named.", "/scopes/0", ["CreateKey"]),
        (429, "rate-limited", "The key has made too many requests.", "A key may make 600 requests a minute (Api:RequestsPerMinute); they are counted anew in 12 s. Nothing was done. Submit in batches, and watch jobs instead of asking for them again and again.", null, null),
        (429, "backlog-full", "The queue is full.", "Queue bulk holds 10000 jobs of 10000 that it may (Api:MaxBacklog); 1 more do not fit. Nothing was stored. Try again later, or let more workers serve it.", null, ["SubmitJob", "SubmitBatch"]),
        (429, "too-many-open", "Too many requests in bulk are open.", "Nothing was done. At most 20 of yours may be under way. Try again when one has ended, or give filters that fit more.", null, ["RetryJobs", "CancelJobs"]),
        (503, "unavailable", "The store does not answer.", "Try again later.", null, null),
        (503, "overloaded", "Too much waits to be written.", "Nothing was stored. Try again later.", null, ["SubmitJob", "SubmitBatch"]),
        (503, "overloaded", "Too many callers watch jobs here.", "Read the job now and then instead, or try again later.", null, ["WatchJob"]),
        (503, "timed-out", "The request took too long.", "It was given up after 10 s (Api:RequestTimeout). Whether a write was done is unknown; a large body may have come too slowly.", null, null),
    ];

    /// <summary>Names the kinds of refusal behind a status, and shows each.</summary>
    /// <returns>A name for the answer where it is the same for all calls.</returns>
    public static string? AddTo(OpenApiResponse response, string call, int status)
    {
        var kinds = All.Where(kind => kind.Status == status && kind.Calls?.Contains(call) != false).ToArray();
        response.Description = string.Join(" ", kinds.Select(kind => $"`{kind.Kind}`: {kind.Title}"));
        response.Content!["application/problem+json"].Examples = kinds.ToDictionary(kind => kind.Kind, kind => (IOpenApiExample)new OpenApiExample
        {
            Summary = kind.Title,
            Value = JsonSerializer.SerializeToNode(
                new Problem
                {
                    Type = $"{ProblemsPage.Address}#{kind.Kind}",
                    Title = kind.Title,
                    Status = kind.Status,
                    Detail = kind.Detail,
                    Errors = kind.At is null ? null : InvalidFields.Of(kind.At, "says here what it must be").ToMap(),
                    TraceId = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                },
                Json),
        });
        return kinds.Length > 0 && kinds.All(kind => kind.Calls is null) ? kinds[0].Kind : null;
    }
}
