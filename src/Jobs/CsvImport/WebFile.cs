using System.Net.Http.Headers;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>A file behind https. It is one answer of its server, read once from where the import stands; so it cannot change while it is read.</summary>
internal sealed class WebFile : ISource
{
    private const int MostToldWaits = 100;
    private const int Part = 206;
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private readonly OutboundAnswer? answer;
    private readonly long begin;

    private WebFile(OutboundAnswer? answer, FileIdentity identity, long begin) => (this.answer, Identity, this.begin) = (answer, identity, begin);

    public FileIdentity Identity { get; }

    public long? Length => Identity.Length ?? (answer is { Body.HasEnded: true } ? answer.Body.Count : null); // of unknown length it is always read from 0

    public bool IsAtHand => false;

    /// <summary>Asks for the file, or for what is left of it.</summary>
    /// <param name="outbound">Asks.</param>
    /// <param name="source">Its address.</param>
    /// <param name="saved">Where the import stands; null at its beginning.</param>
    /// <param name="epoch">The number of the run. A server that says when to come again is obeyed in so many runs; then such an answer is a failed attempt.</param>
    /// <param name="stop">Ends the asking.</param>
    /// <exception cref="JobFailed">It is not there, or not what the import began with.</exception>
    /// <exception cref="RetryLater">The server says when to come again.</exception>
    public static async Task<WebFile> OpenAsync(Outbound outbound, string source, ImportPosition? saved, int epoch, CancellationToken stop)
    {
        if (saved is not null && saved.Offset == saved.File.Length) return new WebFile(null, saved.File, saved.Offset); // nothing is left
        var begin = Math.Max(0, (saved?.Offset ?? 0) - 1); // with the line break before the record
        var condition = saved is null ? null : ConditionOf(saved.File);
        var answer = await outbound.GetAsync(
            source,
            request =>
            {
                if (condition is not null) (request.Headers.Range, request.Headers.IfRange) = (new RangeHeaderValue(begin, null), condition);
            },
            stop);
        try
        {
            MustBeAFile(answer, epoch);
            var identity = IdentityOf(answer.Response);
            if (saved is not null) MustBe(saved.File, identity, answer);
            if ((int)answer.Response.StatusCode == Part) MustBeTheRest(answer, asked: condition is not null, begin, identity);
            else await answer.Body.SkipAsync(begin, stop); // a server without parts; as it is the same file, what is imported is passed over
            return new WebFile(answer, saved?.File ?? identity, begin);
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    public void MustStillBe(FileIdentity begun) { } // one answer is one version of it

    public ValueTask<ReadOnlyMemory<byte>> PeekAsync(int bytes, CancellationToken stop) => answer is null ? new(ReadOnlyMemory<byte>.Empty) : answer.Body.PeekAsync(bytes, stop);

    public Stream OpenAt(long offset, out long begin)
    {
        begin = this.begin;
        return answer?.Body ?? Stream.Null;
    }

    public void Dispose() => answer?.Dispose();

    /// <summary>The condition under which the server may send the rest alone: that it still has this very file. Null where it cannot be put; the whole file
    /// is then asked for.</summary>
    /// <exception cref="JobFailed">Nobody could tell that it is still the same.</exception>
    private static RangeConditionHeaderValue? ConditionOf(FileIdentity begun)
    {
        var strongTag = begun.Tag is { } tag && !tag.StartsWith("W/", StringComparison.Ordinal) ? tag : null;
        if (strongTag is null && begun.ModifiedAt is null)
        {
            throw new JobFailed(
                "source: the import was interrupted, and this server says neither by ETag nor by Last-Modified whether the file is still the same, so it cannot go on. "
                + "The rows imported so far stay in the table. Submit a new job with mode replace, or put the file where it has an ETag.",
                "source_not_resumable");
        }

        // RFC 9110, 13.1.5: with a tag that is weak neither it nor the date may be used here.
        if (begun.Length is null || (strongTag is null && begun.Tag is not null)) return null;
        return strongTag is not null ? new RangeConditionHeaderValue(EntityTagHeaderValue.Parse(strongTag)) : new RangeConditionHeaderValue(new DateTimeOffset(begun.ModifiedAt!.Value));
    }

    private static FileIdentity IdentityOf(HttpResponseMessage response)
    {
        var headers = response.Content.Headers;
        // RFC 9110, 8.8.2.2: a file changed within the second of the answer may change again and keep its date.
        var modifiedAt = headers.LastModified is { } modified && response.Headers.Date is { } date && modified <= date.AddSeconds(-1) ? modified.UtcDateTime : (DateTime?)null;
        return new FileIdentity((int)response.StatusCode == Part ? headers.ContentRange?.Length : headers.ContentLength, modifiedAt, response.Headers.ETag?.ToString());
    }

    /// <summary>All that was known of the file must be the same: a server may ignore the condition.</summary>
    private static void MustBe(FileIdentity begun, FileIdentity now, OutboundAnswer answer)
    {
        // RFC 9110, 15.3.7: with a part the date need not be told once more, the tag must.
        var isDateLeftOut = (int)answer.Response.StatusCode == Part && begun.Tag is not null && answer.Response.Content.Headers.LastModified is null;
        var isOfThen = begun.ModifiedAt is null || begun.ModifiedAt == now.ModifiedAt || isDateLeftOut;
        if (isOfThen && now.Tag == begun.Tag && (begun.Length is null || now.Length == begun.Length)) return;
        throw Changed(answer, $"{Told(begun)} became {Told(now)}");

        static string Told(FileIdentity identity) => $"{(identity.Length is { } length ? $"{length:N0} bytes" : "a file")}{(identity.ModifiedAt is { } at ? $" of {at:u}" : "")} with {Excerpt.Of(identity.Tag ?? "no ETag")}";
    }

    private static void MustBeTheRest(OutboundAnswer answer, bool asked, long begin, FileIdentity identity)
    {
        var part = answer.Response.Content.Headers.ContentRange;
        if (asked && part?.From == begin && part.To == identity.Length - 1) return;
        throw new JobFailed(
            $"source: {OutboundUrl.Shown(answer.Url)} sent a part of the file that was not asked for ({Excerpt.Of(part?.ToString() ?? "without Content-Range")}). Put the file on another server, and submit a new job with mode replace.",
            "source_unusable");
    }

    private static void MustBeAFile(OutboundAnswer answer, int epoch)
    {
        var (status, shown) = ((int)answer.Response.StatusCode, $"{OutboundUrl.Shown(answer.Url)} answers {(int)answer.Response.StatusCode}");
        switch (status)
        {
            case 200 or Part:
                return;
            case 429 or 503 when epoch <= MostToldWaits && WaitOf(answer.Response) is { } wait:
                throw new RetryLater(wait);
            case 408 or 425 or 429 or >= 500:
                throw new OutboundFailed($"{shown}. It is asked again; if that never helps, look at that server.");
            case 416:
                throw Changed(answer, "it ends before the place where the import stands");
            case 404 or 410:
                throw new JobFailed($"source: {shown}: there is no such file. Put it there, or correct the address, and submit again.", "source_missing");
            case 401 or 403 or 407:
                throw new JobFailed($"source: {shown}: it wants credentials, and none are sent. Give an address that needs none, such as a signed one that has not expired, and submit again.", "source_forbidden");
            default:
                throw new JobFailed($"source: {shown}, which is no file. Correct the address, and submit again.", "source_unusable");
        }
    }

    private static TimeSpan? WaitOf(HttpResponseMessage response)
    {
        var told = response.Headers.RetryAfter;
        if ((told?.Delta ?? told?.Date - TimeProvider.System.GetUtcNow()) is not { } wait) return null;
        return wait < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : wait > LongestWait ? LongestWait : wait;
    }

    private static JobFailed Changed(OutboundAnswer answer, string how) => new(
        $"source: {OutboundUrl.Shown(answer.Url)} was changed during the import: {how}. The rows imported so far stay in the table. Once the file is complete, submit a new job with mode replace.",
        "source_changed");
}
