using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using QueueScale.Contracts;

namespace QueueScale.Client;

/// <summary>The HTTP API, typed. Safe for use by several threads at once.</summary>
/// <remarks>Every method throws <see cref="QueueScaleException"/> when the API refuses, and <see cref="HttpRequestException"/> when it cannot be reached.
/// Nothing is repeated by itself: whether a submission whose answer was lost may be sent again is the caller's decision.</remarks>
public sealed class QueueScaleClient : IDisposable
{
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

    /// <summary>Submits one job. When this returns, the job is durable.</summary>
    public Task<Job> SubmitAsync(SubmitJob job, CancellationToken cancellation = default) => PostAsync<Job>("v1/jobs", job, cancellation);

    /// <summary>Submits one job, which may be repeated: the same key with the same job makes no second one, for a day at least where the API is not set otherwise.</summary>
    /// <param name="job">The job.</param>
    /// <param name="idempotencyKey">1 to 255 visible ASCII characters, such as a UUID.</param>
    /// <param name="cancellation">Ends the call; the job may be there all the same.</param>
    /// <exception cref="QueueScaleException">422: the key was used for another job.</exception>
    public Task<Job> SubmitAsync(SubmitJob job, string idempotencyKey, CancellationToken cancellation = default) => PostAsync<Job>("v1/jobs", job, cancellation, idempotencyKey);

    /// <summary>Submits up to 10,000 jobs, all or nothing.</summary>
    /// <returns>Their ids, in the order given.</returns>
    public async Task<IReadOnlyList<Guid>> SubmitBatchAsync(IReadOnlyCollection<SubmitJob> jobs, CancellationToken cancellation = default) =>
        (await PostAsync<BatchAccepted>("v1/jobs/batch", jobs, cancellation)).Ids;

    /// <summary>Submits up to 10,000 jobs, all or nothing, and may be repeated: the same key with the same jobs makes none a second time, for a day at least where the API is not set otherwise.</summary>
    /// <returns>Their ids, in the order given.</returns>
    public async Task<IReadOnlyList<Guid>> SubmitBatchAsync(IReadOnlyCollection<SubmitJob> jobs, string idempotencyKey, CancellationToken cancellation = default) =>
        (await PostAsync<BatchAccepted>("v1/jobs/batch", jobs, cancellation, idempotencyKey)).Ids;

    /// <summary>Reads one job.</summary>
    public Task<Job> GetJobAsync(Guid id, CancellationToken cancellation = default) => GetAsync<Job>($"v1/jobs/{id}", cancellation);

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

    /// <summary>Cancels a job. A running one ends soon afterwards; the answer shows where it stands now.</summary>
    /// <exception cref="QueueScaleException">409: it is final already.</exception>
    public Task<Job> CancelAsync(Guid id, CancellationToken cancellation = default) => PostAsync<Job>($"v1/jobs/{id}/cancel", body: null, cancellation);

    /// <summary>The job types that workers have registered.</summary>
    public Task<Page<JobTypeInfo>> GetJobTypesAsync(CancellationToken cancellation = default) => GetAsync<Page<JobTypeInfo>>("v1/job-types", cancellation);

    /// <summary>The live workers.</summary>
    public Task<Page<WorkerInfo>> GetWorkersAsync(CancellationToken cancellation = default) => GetAsync<Page<WorkerInfo>>("v1/workers", cancellation);

    /// <summary>The queues and what is in them.</summary>
    public Task<Page<QueueInfo>> GetQueuesAsync(CancellationToken cancellation = default) => GetAsync<Page<QueueInfo>>("v1/queues", cancellation);

    /// <summary>What an autoscaler reads for one queue. One that nobody has used yet answers zeros.</summary>
    public Task<QueueScaleInfo> GetScaleAsync(string queue, CancellationToken cancellation = default) =>
        GetAsync<QueueScaleInfo>($"v1/queues/{Uri.EscapeDataString(queue)}/scale", cancellation);

    /// <summary>Closes the connections, where they are its own.</summary>
    public void Dispose()
    {
        if (_owned) _http.Dispose();
    }

    private Task<T> GetAsync<T>(string path, CancellationToken cancellation) => SendAsync<T>(new HttpRequestMessage(HttpMethod.Get, path), cancellation);

    private Task<T> PostAsync<T>(string path, object? body, CancellationToken cancellation, string? idempotencyKey = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body is null ? null : JsonContent.Create(body, body.GetType(), options: ClientJson.Options) };
        if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
        return SendAsync<T>(request, cancellation);
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, CancellationToken cancellation)
    {
        using (request)
        using (var answer = await _http.SendAsync(request, cancellation))
        {
            if (!answer.IsSuccessStatusCode) throw await Refusal.ReadAsync(answer, cancellation);
            return await answer.Content.ReadFromJsonAsync<T>(ClientJson.Options, cancellation)
                ?? throw new QueueScaleException((int)answer.StatusCode, "The answer is empty", "The API answered `null`. Is something else listening at this address?");
        }
    }
}
