using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Xml;
using QueueScale.Contracts;

namespace QueueScale.Client;

/// <summary>The HTTP API, typed. Safe for use by several threads at once.</summary>
/// <remarks>Every method throws <see cref="QueueScaleException"/> when the API refuses, and <see cref="HttpRequestException"/> when it cannot be reached.
/// Submissions that carry an idempotency key are repeated by themselves, for half a minute, when no answer comes or the API says that it is overloaded or that a server of it is
/// away; nothing else is: whether a submission without a key may be sent again is the caller's decision.</remarks>
public sealed class QueueScaleClient : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AwayPatience = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http;
    private readonly bool _owned;

    /// <summary>A client with connections of its own.</summary>
    /// <param name="address">The address of the API, such as <c>http://127.0.0.1:8080</c>.</param>
    /// <param name="key">An API key, <c>qs_…</c>.</param>
    public QueueScaleClient(Uri address, string key)
    {
        ArgumentNullException.ThrowIfNull(address);
        // Connections are renewed, so that a change of the name's address is noticed.
        _http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            BaseAddress = new Uri(address.AbsoluteUri.TrimEnd('/') + "/"),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
        };
        _owned = true;
    }

    /// <summary>A client over a given <see cref="HttpClient"/>, for example one from a factory or of a test host.</summary>
    /// <param name="http">Has its base address and its <c>Authorization</c> header set. It is not disposed.</param>
    public QueueScaleClient(HttpClient http) => _http = http;

    /// <summary>Events from which nothing comes for this long have broken off: the API says every 15 seconds that it lives.</summary>
    internal TimeSpan LongestQuiet { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Submits one job. When this returns, the job is durable.</summary>
    public Task<Job> SubmitAsync(SubmitJob job, CancellationToken cancellation = default) => PostAsync<Job>("v1/jobs", job, cancellation);

    /// <summary>Submits one job, which may be repeated: the same key with the same job makes no second one, for a day at least where the API is not set otherwise.</summary>
    /// <param name="job">The job.</param>
    /// <param name="idempotencyKey">1 to 255 visible ASCII characters, such as a UUID.</param>
    /// <param name="cancellation">Ends the call; the job may be there all the same.</param>
    /// <exception cref="QueueScaleException">422: the key was used for another job.</exception>
    public Task<Job> SubmitAsync(SubmitJob job, string idempotencyKey, CancellationToken cancellation = default) =>
        RepeatAsync(() => PostAsync<Job>("v1/jobs", job, cancellation, idempotencyKey), cancellation);

    /// <summary>Submits up to 10,000 jobs, all or nothing.</summary>
    /// <returns>Their ids, in the order given.</returns>
    public async Task<IReadOnlyList<Guid>> SubmitBatchAsync(IReadOnlyCollection<SubmitJob> jobs, CancellationToken cancellation = default) =>
        (await PostAsync<BatchAccepted>("v1/jobs/batch", jobs, cancellation)).Ids;

    /// <summary>Submits up to 10,000 jobs, all or nothing, and may be repeated: the same key with the same jobs makes none a second time, for a day at least where the API is not set otherwise.</summary>
    /// <returns>Their ids, in the order given.</returns>
    public async Task<IReadOnlyList<Guid>> SubmitBatchAsync(IReadOnlyCollection<SubmitJob> jobs, string idempotencyKey, CancellationToken cancellation = default) =>
        (await RepeatAsync(() => PostAsync<BatchAccepted>("v1/jobs/batch", jobs, cancellation, idempotencyKey), cancellation)).Ids;

    /// <summary>Reads one job as it is now, and not as somebody has read it a moment ago. To follow a job, <see cref="WatchAsync"/> costs the API less.</summary>
    public Task<Job> GetJobNowAsync(Guid id, CancellationToken cancellation = default) =>
        SendAsync<Job>(new HttpRequestMessage(HttpMethod.Get, $"v1/jobs/{id}") { Headers = { CacheControl = new CacheControlHeaderValue { NoCache = true } } }, cancellation);

    /// <summary>Reads one job, as it was at most two seconds ago.</summary>
    public Task<Job> GetJobAsync(Guid id, CancellationToken cancellation = default) => GetAsync<Job>($"v1/jobs/{id}", cancellation);

    /// <summary>Submits one job and waits for its end, up to a minute.</summary>
    /// <param name="job">The job.</param>
    /// <param name="patience">For so long at most, in whole seconds.</param>
    /// <param name="idempotencyKey">Marks the submission, so that it may be repeated; null does not.</param>
    /// <param name="cancellation">Ends the call; the job may be there all the same.</param>
    /// <returns>The job as it was when it ended or when the time was over: <see cref="Job.State"/> tells which.</returns>
    public Task<Job> SubmitAndWaitAsync(SubmitJob job, TimeSpan patience, string? idempotencyKey = null, CancellationToken cancellation = default) =>
        idempotencyKey is null ? PostAsync<Job>("v1/jobs", job, cancellation, patience: patience)
            : RepeatAsync(() => PostAsync<Job>("v1/jobs", job, cancellation, idempotencyKey, patience), cancellation);

    /// <summary>The job as it is, then whenever it has changed, the last time when it is final. Its input is left out.</summary>
    /// <remarks>An API that is being replaced is away for a moment: for half a minute the watch begins anew with another one. So it does
    /// where nothing has come over its connection for 45 seconds, though an API says every 15 that it lives.</remarks>
    /// <exception cref="QueueScaleException">404: there is no such job.</exception>
    public async IAsyncEnumerable<Job> WatchAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var silence = new Silence();
        for (var isFinal = false; !isFinal; await Task.Delay(isFinal ? TimeSpan.Zero : Pause, cancellation))
        {
            await using var events = EventsAsync(id, cancellation).GetAsyncEnumerator(cancellation);
            while (await NextAsync(events, silence))
            {
                yield return events.Current;
                isFinal = events.Current.State.IsFinal();
            }
        }
    }

    /// <summary>Reads one page of jobs.</summary>
    /// <param name="filter">Which; all of them where null.</param>
    /// <param name="cancellation">Ends the call.</param>
    public Task<Page<Job>> GetJobsAsync(JobFilter? filter = null, CancellationToken cancellation = default) =>
        GetAsync<Page<Job>>("v1/jobs" + (filter ?? new JobFilter()).ToQuery(), cancellation);

    /// <summary>Reads the page that follows; null when <paramref name="page"/> is the last.</summary>
    public async Task<Page<T>?> GetNextAsync<T>(Page<T> page, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(page);
        return page.Next is null ? null : await GetAsync<Page<T>>(page.Next.TrimStart('/'), cancellation);
    }

    /// <summary>Reads all jobs that fit, page after page as they are wanted.</summary>
    public async IAsyncEnumerable<Job> GetAllJobsAsync(JobFilter? filter = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        for (var page = await GetJobsAsync(filter, cancellation); page is not null; page = await GetNextAsync(page, cancellation))
        {
            foreach (var job in page.Items) yield return job;
        }
    }

    /// <summary>Every run of a job, the first one first.</summary>
    public Task<Page<Run>> GetRunsAsync(Guid id, CancellationToken cancellation = default) => GetAsync<Page<Run>>($"v1/jobs/{id}/runs", cancellation);

    /// <summary>Why a job waits, and for how long it will.</summary>
    public Task<JobExplanation> ExplainAsync(Guid id, CancellationToken cancellation = default) => GetAsync<JobExplanation>($"v1/jobs/{id}/explain", cancellation);

    /// <summary>Cancels a job. A running one ends soon afterwards; the answer shows where it stands now.</summary>
    /// <exception cref="QueueScaleException">409: it is final already.</exception>
    public Task<Job> CancelAsync(Guid id, CancellationToken cancellation = default) => PostAsync<Job>($"v1/jobs/{id}/cancel", body: null, cancellation);

    /// <summary>Runs a failed or cancelled job again, with all its attempts anew.</summary>
    /// <param name="id">The job.</param>
    /// <param name="fromStart">Without its checkpoint.</param>
    /// <param name="cancellation">Ends the call.</param>
    /// <exception cref="QueueScaleException">409: it has not failed and was not cancelled.</exception>
    public Task<Job> RetryAsync(Guid id, bool fromStart = false, CancellationToken cancellation = default) =>
        PostAsync<Job>($"v1/jobs/{id}/retry?from={(fromStart ? "start" : "checkpoint")}", body: null, cancellation);

    /// <summary>Runs all failed jobs that fit again, in the background: the redrive of the dead-letter list.</summary>
    /// <param name="filter">Which; failed ones where it names no state.</param>
    /// <param name="fromStart">Without their checkpoints.</param>
    /// <param name="rate">Jobs a second at most; null without a limit.</param>
    /// <param name="cancellation">Ends the call; the request may be there all the same.</param>
    public Task<BulkRequest> RetryJobsAsync(JobFilter filter, bool fromStart = false, int? rate = null, CancellationToken cancellation = default) =>
        PostAsync<BulkRequest>("v1/jobs/retry" + (filter with { Limit = null }).ToQuery(("from", fromStart ? "start" : "checkpoint"), ("rate", rate?.ToString(CultureInfo.InvariantCulture))), body: null, cancellation);

    /// <summary>How many jobs <see cref="RetryJobsAsync"/> would run again now.</summary>
    public async Task<long> CountRetryJobsAsync(JobFilter filter, CancellationToken cancellation = default) =>
        (await PostAsync<BulkCount>("v1/jobs/retry" + (filter with { Limit = null }).ToQuery(("dryRun", "true")), body: null, cancellation)).Matched;

    /// <summary>Cancels all jobs that fit, in the background.</summary>
    /// <param name="filter">Which; at least one member must be set.</param>
    /// <param name="rate">Jobs a second at most; null without a limit.</param>
    /// <param name="cancellation">Ends the call; the request may be there all the same.</param>
    public Task<BulkRequest> CancelJobsAsync(JobFilter filter, int? rate = null, CancellationToken cancellation = default) =>
        PostAsync<BulkRequest>("v1/jobs/cancel" + (filter with { Limit = null }).ToQuery(("rate", rate?.ToString(CultureInfo.InvariantCulture))), body: null, cancellation);

    /// <summary>How many jobs <see cref="CancelJobsAsync"/> would cancel now.</summary>
    public async Task<long> CountCancelJobsAsync(JobFilter filter, CancellationToken cancellation = default) =>
        (await PostAsync<BulkCount>("v1/jobs/cancel" + (filter with { Limit = null }).ToQuery(("dryRun", "true")), body: null, cancellation)).Matched;

    /// <summary>How far a request in bulk is.</summary>
    public Task<BulkRequest> GetBulkRequestAsync(Guid id, CancellationToken cancellation = default) => GetAsync<BulkRequest>($"v1/bulk/{id}", cancellation);

    /// <summary>Makes a schedule, or replaces the one of that name. The same schedule once more changes nothing.</summary>
    /// <param name="name">1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or a digit.</param>
    /// <param name="schedule">When it ticks, and the job that each tick makes.</param>
    /// <param name="cancellation">Ends the call; the schedule may be there all the same.</param>
    /// <exception cref="QueueScaleException">422: the name, the times or the job are not valid.</exception>
    public Task<Schedule> PutScheduleAsync(string name, PutSchedule schedule, CancellationToken cancellation = default) =>
        SendAsync<Schedule>(new HttpRequestMessage(HttpMethod.Put, PathOf(name)) { Content = JsonContent.Create(schedule, options: ClientJson.Options) }, cancellation);

    /// <summary>Reads one schedule.</summary>
    public Task<Schedule> GetScheduleAsync(string name, CancellationToken cancellation = default) => GetAsync<Schedule>(PathOf(name), cancellation);

    /// <summary>Reads the first page of the schedules, by name. <see cref="GetNextAsync{T}"/> reads on.</summary>
    public Task<Page<Schedule>> GetSchedulesAsync(CancellationToken cancellation = default) => GetAsync<Page<Schedule>>("v1/schedules", cancellation);

    /// <summary>Deletes a schedule. The jobs that it has made stay.</summary>
    /// <exception cref="QueueScaleException">404: there is none of that name.</exception>
    public async Task DeleteScheduleAsync(string name, CancellationToken cancellation = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, PathOf(name));
        using var answer = await MustSucceedAsync(request, cancellation);
    }

    /// <summary>The job types that workers have registered.</summary>
    public Task<Page<JobTypeInfo>> GetJobTypesAsync(CancellationToken cancellation = default) => GetAsync<Page<JobTypeInfo>>("v1/job-types", cancellation);

    /// <summary>The live workers.</summary>
    public Task<Page<WorkerInfo>> GetWorkersAsync(CancellationToken cancellation = default) => GetAsync<Page<WorkerInfo>>("v1/workers", cancellation);

    /// <summary>Lets a worker hand its jobs over and end, as after SIGTERM. It hears of it within about a second.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellation">Ends the call; the worker may have been asked all the same.</param>
    /// <returns>The processes that have this name now; usually one.</returns>
    /// <exception cref="QueueScaleException">404: no live worker has this name.</exception>
    public Task<Page<WorkerInfo>> DrainWorkerAsync(string name, CancellationToken cancellation = default) =>
        PostAsync<Page<WorkerInfo>>($"v1/workers/{Uri.EscapeDataString(name)}/drain", body: null, cancellation);

    /// <summary>The queues and what is in them.</summary>
    public Task<Page<QueueInfo>> GetQueuesAsync(CancellationToken cancellation = default) => GetAsync<Page<QueueInfo>>("v1/queues", cancellation);

    /// <summary>One queue and what is in it. One that nobody has used yet answers zeros.</summary>
    public Task<QueueInfo> GetQueueAsync(string queue, CancellationToken cancellation = default) => GetAsync<QueueInfo>($"v1/queues/{Uri.EscapeDataString(queue)}", cancellation);

    /// <summary>Pauses a queue: when this returns, no further job of it starts; those that run go on. Submissions to it are accepted and wait.</summary>
    public Task<QueueInfo> PauseQueueAsync(string queue, CancellationToken cancellation = default) =>
        PostAsync<QueueInfo>($"v1/queues/{Uri.EscapeDataString(queue)}/pause", body: null, cancellation);

    /// <summary>Resumes a paused queue: its jobs go on in the order in which they were queued.</summary>
    public Task<QueueInfo> ResumeQueueAsync(string queue, CancellationToken cancellation = default) =>
        PostAsync<QueueInfo>($"v1/queues/{Uri.EscapeDataString(queue)}/resume", body: null, cancellation);

    /// <summary>What an autoscaler reads for one queue. One that nobody has used yet answers zeros.</summary>
    public Task<QueueScaleInfo> GetScaleAsync(string queue, CancellationToken cancellation = default) =>
        GetAsync<QueueScaleInfo>($"v1/queues/{Uri.EscapeDataString(queue)}/scale", cancellation);

    /// <summary>Makes a key. <see cref="ApiKey.Key"/> of the answer is the key itself, which is shown this once.</summary>
    /// <exception cref="QueueScaleException">403: the caller's key lacks the scope admin; 422: the key is not valid.</exception>
    public Task<ApiKey> CreateKeyAsync(NewApiKey key, CancellationToken cancellation = default) => PostAsync<ApiKey>("v1/keys", key, cancellation);

    /// <summary>Reads the first page of the keys, without their secrets. <see cref="GetNextAsync{T}"/> reads on.</summary>
    public Task<Page<ApiKey>> GetKeysAsync(CancellationToken cancellation = default) => GetAsync<Page<ApiKey>>("v1/keys", cancellation);

    /// <summary>Makes a key that is like another one, which ends after a while.</summary>
    /// <param name="id">The key that shall end.</param>
    /// <param name="overlap">For so long both are valid: at most 30 days; null means one day.</param>
    /// <param name="cancellation">Ends the call; the key may have been made all the same.</param>
    public Task<ApiKey> RotateKeyAsync(string id, TimeSpan? overlap = null, CancellationToken cancellation = default) =>
        PostAsync<ApiKey>($"v1/keys/{Uri.EscapeDataString(id)}/rotate" + (overlap is { } given ? $"?overlap={XmlConvert.ToString(given)}" : ""), body: null, cancellation);

    /// <summary>Ends a key: within two seconds nobody is let in with it.</summary>
    public async Task RevokeKeyAsync(string id, CancellationToken cancellation = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"v1/keys/{Uri.EscapeDataString(id)}");
        using var answer = await MustSucceedAsync(request, cancellation);
    }

    /// <summary>Closes the connections, where they are its own.</summary>
    public void Dispose()
    {
        if (_owned) _http.Dispose();
    }

    private Task<T> GetAsync<T>(string path, CancellationToken cancellation) => SendAsync<T>(new HttpRequestMessage(HttpMethod.Get, path), cancellation);

    private Task<T> PostAsync<T>(string path, object? body, CancellationToken cancellation, string? idempotencyKey = null, TimeSpan? patience = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body is null ? null : JsonContent.Create(body, body.GetType(), options: ClientJson.Options) };
        if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
        if (patience is { } wait) request.Headers.Add("Prefer", $"wait={(long)wait.TotalSeconds}");
        return SendAsync<T>(request, cancellation);
    }

    private async IAsyncEnumerable<Job> EventsAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/jobs/{id}/events");
        using var answer = await HeardStream.WithinAsync(LongestQuiet, stop => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop), cancellation);
        if (!answer.IsSuccessStatusCode) throw await HeardStream.WithinAsync(LongestQuiet, stop => Refusal.ReadAsync(answer, stop), cancellation);
        await using var body = await answer.Content.ReadAsStreamAsync(cancellation);
        await using var heard = new HeardStream(body, LongestQuiet);
        await foreach (var read in SseParser.Create(heard, (_, data) => JsonSerializer.Deserialize<Job>(data, ClientJson.Options)!).EnumerateAsync(cancellation)) yield return read.Data;
    }

    /// <returns>False at the end of the events, and where they broke off or did not come while that may be borne.</returns>
    private static async Task<bool> NextAsync(IAsyncEnumerator<Job> events, Silence silence)
    {
        try
        {
            if (await events.MoveNextAsync())
            {
                silence.End();
                return true;
            }
        }
        catch (Exception error) when (!silence.IsTooLong() && error is HttpRequestException or IOException or QueueScaleException { Status: 429 or >= 500 })
        {
            return false;
        }

        return silence.IsTooLong() ? throw new HttpRequestException($"For {AwayPatience.TotalSeconds} s the events of the job have ended without any. Is something else listening at this address?") : false;
    }

    /// <summary>For how long nothing has been heard although it was tried.</summary>
    private sealed class Silence
    {
        private long? _since;

        public void End() => _since = null;

        public bool IsTooLong() => Stopwatch.GetElapsedTime(_since ??= Stopwatch.GetTimestamp()) > AwayPatience;
    }

    /// <summary>Repeats what may be repeated until it is answered.</summary>
    private static async Task<T> RepeatAsync<T>(Func<Task<T>> send, CancellationToken cancellation)
    {
        for (var silence = new Silence(); ;)
        {
            TimeSpan pause;
            try
            {
                return await send();
            }
            catch (Exception error) when (IsPassing(error) && !cancellation.IsCancellationRequested && !silence.IsTooLong())
            {
                pause = (error as QueueScaleException)?.RetryAfter ?? Pause;
            }
            await Task.Delay(pause < AwayPatience ? pause : AwayPatience, cancellation);
        }
    }

    /// <summary>No answer, none in the client's time, or one that says to come again.</summary>
    private static bool IsPassing(Exception error) => error is HttpRequestException or IOException or OperationCanceledException or QueueScaleException { Status: 429 or 502 or 503 or 504 };

    private async Task<T> SendAsync<T>(HttpRequestMessage request, CancellationToken cancellation)
    {
        using (request)
        using (var answer = await MustSucceedAsync(request, cancellation))
        {
            return await answer.Content.ReadFromJsonAsync<T>(ClientJson.Options, cancellation)
                ?? throw new QueueScaleException((int)answer.StatusCode, "The answer is empty", "The API answered `null`. Is something else listening at this address?");
        }
    }

    private async Task<HttpResponseMessage> MustSucceedAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var answer = await _http.SendAsync(request, cancellation);
        if (answer.IsSuccessStatusCode) return answer;
        using (answer) throw await Refusal.ReadAsync(answer, cancellation);
    }

    private static string PathOf(string schedule) => $"v1/schedules/{Uri.EscapeDataString(schedule)}";
}
