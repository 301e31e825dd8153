using System.Net;
using System.Text;
using System.Text.Json;
using QueueScale.Faults;

namespace QueueScale.Tests;

/// <summary>One <c>Idempotency-Key</c> makes its jobs once, whatever becomes of the answers on their way to the callers.</summary>
public sealed class SubmitOnceTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private const int Callers = 50;
    private const string Job = """{"type": "probe.noop", "tags": ["once"]}""";

    public async ValueTask DisposeAsync() => await stage.StopAllAsync();

    [Theory]
    [InlineData("v1/jobs", Job, 1)]
    [InlineData("v1/jobs/batch", $"[{Job}, {Job}, {Job}]", 3)]
    public async Task Fifty_callers_at_once_whose_answers_are_cut_and_swallowed_make_one_submission(string path, string body, int jobs)
    {
        await stage.ForgetJobsAsync();
        var (one, other) = (await stage.StartApiAsync("one"), await stage.StartApiAsync("other"));
        await stage.StartWorkerAsync("w");
        await using var swallowing = TcpProxy.Start(new IPEndPoint(IPAddress.Loopback, one.Url.Port));
        await using var cutting = TcpProxy.Start(new IPEndPoint(IPAddress.Loopback, other.Url.Port));
        swallowing.Switch(new ProxyMode.SwallowResponses());
        cutting.Switch(new ProxyMode.ResetAfter(20, Direction.ToClient));
        int[] ports = [swallowing.Address.Port, cutting.Address.Port, one.Url.Port, other.Url.Port];
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2), DefaultRequestHeaders = { { "Authorization", $"Bearer {Stage.Key}" }, { "Idempotency-Key", $"{Guid.NewGuid()}" } } };
        var lost = new int[Callers];
        var calling = Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => UntilAnsweredAsync(new Uri($"http://127.0.0.1:{ports[caller % 4]}/{path}"), () => Interlocked.Increment(ref lost[caller]))));
        await Waiting.UntilAsync(() => Task.FromResult(lost.Where((_, caller) => caller % 4 < 2).All(times => times > 0)), () => $"answers lost: {string.Join(' ', lost)}");
        swallowing.Switch(new ProxyMode.Pass());
        cutting.Switch(new ProxyMode.Pass());
        var answers = await calling;

        Assert.True(swallowing.BytesSwallowed > 0);
        Assert.All(answers, answer => Assert.Equal(202, answer.Status));
        Assert.Single(answers.Select(answer => string.Join(' ', answer.Jobs)).Distinct());
        Assert.Equal(jobs, answers[0].Jobs.Length);
        Assert.InRange(answers.Count(answer => !answer.IsReplay), 0, 1); // none where the first answer was lost
        Assert.Equal(answers[0].Jobs.Order(), await stage.QueryAsync<Guid>("select id from jobs order by id"));
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5 and epoch = 1") == jobs);

        async Task<(int Status, Guid[] Jobs, bool IsReplay)> UntilAnsweredAsync(Uri url, Action answerLost)
        {
            while (true)
            {
                try
                {
                    using var content = new StringContent(body, Encoding.UTF8, "application/json");
                    using var answer = await http.PostAsync(url, content);
                    if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                    {
                        continue; // on a slow machine: whether the jobs are there is unknown
                    }

                    return ((int)answer.StatusCode, JobsOf(await answer.Content.ReadAsStringAsync()), answer.Headers.TryGetValues("Idempotent-Replayed", out var replayed) && replayed.Single() == "true");
                }
                catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
                {
                    answerLost();
                }
            }
        }
    }

    private static Guid[] JobsOf(string answer)
    {
        var json = JsonElement.Parse(answer);
        return json.TryGetProperty("ids", out var ids) ? [.. ids.EnumerateArray().Select(id => id.GetGuid())] : json.TryGetProperty("id", out var one) ? [one.GetGuid()] : [];
    }
}
