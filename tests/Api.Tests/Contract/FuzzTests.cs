using System.Collections.Concurrent;
using System.Globalization;
using Json.Schema;

namespace QueueScale.Tests;

/// <summary>Ten thousand requests that nobody would write: the API answers each of them in time as it describes, and takes no job that its schemas do not allow.</summary>
[Collection(OneContractApi.Name)]
public sealed class FuzzTests(ContractApi api, ITestOutputHelper output)
{
    private const string Seed = "QUEUESCALE_FUZZ_SEED";
    private const int Requests = 10_000;
    private const int AtOnce = 32;
    private const int Attempts = 5;

    [Fact]
    public async Task Whatever_is_sent_is_answered_as_described_and_only_what_the_schemas_allow_is_accepted()
    {
        var seed = int.Parse(Environment.GetEnvironmentVariable(Seed) ?? "20260131", CultureInfo.InvariantCulture);
        var types = RunningApi.Types.ToDictionary(type => type.Name, type => JsonElement.Parse(type.InputSchema));
        var inputs = types.ToDictionary(type => type.Key, type => JsonSchema.FromText(type.Value.GetRawText()));
        var jobs = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            jobs.Add($"{await api.AcceptedAsync()}");
        }

        var fuzzer = new Fuzzer(Contract.Kept, jobs, types);
        var wrong = new ConcurrentQueue<string>();
        var statuses = new ConcurrentDictionary<int, int>();
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        using var client = new HttpClient(handler) { BaseAddress = api.Url, Timeout = TimeSpan.FromSeconds(20), DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        var begun = TimeProvider.System.GetTimestamp();
        var busy = new ConcurrentQueue<int>();
        await Parallel.ForAsync(0, Requests, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (n, _) =>
        {
            if (wrong.Count <= 5 && !await IsSettledAsync(n))
            {
                busy.Enqueue(n);
            }
        });

        // A request rejected with 503 because others were in progress must succeed or fail for its own reasons once it runs alone.
        foreach (var n in busy)
        {
            for (var attempt = 1; !await IsSettledAsync(n, isLast: attempt == Attempts); attempt++)
            {
                await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken); // Retry-After
            }
        }

        var seconds = TimeProvider.System.GetElapsedTime(begun).TotalSeconds;
        output.WriteLine($"{Requests / seconds:0} requests a second, {seconds:0.0} s; {string.Join(", ", statuses.OrderBy(status => status.Key).Select(status => $"{status.Key}: {status.Value}"))}");
        Assert.True(wrong.IsEmpty, string.Join(Environment.NewLine, wrong));
        Assert.InRange(statuses.Where(status => status.Key < 300).Sum(status => status.Value), Requests * 3 / 10, Requests);

        foreach (var (type, schema) in inputs)
        {
            foreach (var input in await api.Stage.QueryAsync<string>("select distinct input::text from jobs where type = $1", type))
            {
                Assert.True(Contract.Faults(schema, JsonElement.Parse(input)) is [], $"A job of {type} was accepted with an input that its schema forbids (seed {seed}): {input}");
            }
        }

        Assert.Equal(types.Keys.Order(), (await api.Stage.QueryAsync<string>("select distinct type from jobs")).Order());
        await api.Stage.ExecuteAsync("delete from bulk_requests; delete from schedules"); // they would keep running during later tests

        // Returns false for a 503 that is worth another attempt.
        async Task<bool> IsSettledAsync(int n, bool isLast = false)
        {
            var (call, request) = fuzzer.Make(seed, n);
            using (request)
            {
                var (status, fault) = await SendAsync(client, call, request);
                if (status == 503 && fault is null && !isLast)
                {
                    return false;
                }

                statuses.AddOrUpdate(status, 1, (_, count) => count + 1);
                if (fault is not null || status >= 500)
                {
                    wrong.Enqueue($"Request {n} of seed {seed} ({Seed}={seed} sends it again): {fault ?? $"{call} answered {status}"}{Environment.NewLine}{await WrittenAsync(request)}");
                }

                return true;
            }
        }
    }

    /// <summary>The status of an answer and what is wrong with it; null where nothing is.</summary>
    private static async Task<(int Status, string? Fault)> SendAsync(HttpClient client, Call call, HttpRequestMessage request)
    {
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var status = (int)response.StatusCode;
            if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                return (status, null); // it ends with its job
            }

            var answer = await Answer.OfAsync(response);
            if (call.Faults(answer) is { Count: > 0 } faults)
            {
                return (status, $"{call} answered {status}: {string.Join("; ", faults)}");
            }

            if (status < 300 && request.Content is { } content && call.BodySchema is { } schema)
            {
                var text = Encoding.UTF8.GetString(await content.ReadAsByteArrayAsync());
                var body = JsonElement.Parse(content.Headers.ContentType!.MediaType == "application/json" ? text : $"[{string.Join(',', text.Split('\n', StringSplitOptions.RemoveEmptyEntries))}]");
                return (status, Contract.Kept.Faults(schema, body) is { Count: > 0 } outside ? $"{call} accepted what its schema forbids: {string.Join("; ", outside)}" : null);
            }

            return (status, null);
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException or JsonException)
        {
            return (0, $"{call} was not answered: {error.Message}");
        }
    }

    private static async Task<string> WrittenAsync(HttpRequestMessage request)
    {
        var body = request.Content is null ? "" : Encoding.UTF8.GetString(await request.Content.ReadAsByteArrayAsync());
        return $"{request.Method} {request.RequestUri}{Environment.NewLine}{request.Headers}{request.Content?.Headers}{Environment.NewLine}{(body.Length > 2000 ? $"{body[..2000]}… ({body.Length} characters)" : body)}";
    }
}
