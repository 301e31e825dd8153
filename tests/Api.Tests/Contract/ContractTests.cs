namespace QueueScale.Tests;

/// <summary>The API answers as its description says: every call, with every status that it names.</summary>
[Collection(OneContractApi.Name)]
public sealed class ContractTests(ContractApi api)
{
    private const int Outage = 503;
    private const int TooMany = 429;

    /// <summary>The others have a test of their own, for all calls at once.</summary>
    public static TheoryData<string, int> Answers => [.. Contract.Kept.Calls.SelectMany(call => call.Answers.Keys.Where(status => status is not (Outage or TooMany)).Select(status => (call.Id, status))), ("SubmitJob", TooMany), ("SubmitBatch", TooMany)];

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task Each_answer_that_is_described_comes_about_and_is_as_described(string call, int status)
    {
        var described = Contract.Kept.Find(call);
        using var request = await new Calls(api).ForAsync(described, status);
        var answer = await api.SendAsync(request);
        Assert.True(answer.Status == status, $"{described} was to answer {status}, and answered {answer.Status}: {answer.Body}");
        MustFit(described, answer);
    }

    [Fact]
    public async Task While_PostgreSQL_is_away_every_call_answers_as_described_when_to_come_again()
    {
        var calls = new List<(Call Call, HttpRequestMessage Request)>();
        foreach (var call in Contract.Kept.Calls.Where(call => call.Answers.ContainsKey(Outage)))
        {
            calls.Add((call, await new Calls(api).GoodAsync(call)));
        }

        await api.Stage.Servers.All.Postgres.StopAsync();
        try
        {
            var answers = await Task.WhenAll(calls.Select(async one => (one.Call, Answer: await api.SendAsync(one.Request))));
            Assert.Equal(Contract.Kept.Calls.Select(call => call.Id), answers.Where(one => one.Answer.Status == Outage).Select(one => one.Call.Id));
            Assert.All(answers, one => MustFit(one.Call, one.Answer));
        }
        finally
        {
            await api.Stage.Servers.All.Postgres.StartAsync();
            api.Stage.Sql.Clear();
            await Waiting.UntilAsync(async () => (await api.GetAsync("health/ready")).Status == 200);
        }
    }

    [Fact]
    public async Task A_key_that_has_asked_too_often_is_refused_by_every_call_as_described()
    {
        var narrow = await api.Stage.StartApiAsync("narrow", settings: ("Api__RequestsPerMinute", "1"));
        using var client = new HttpClient { BaseAddress = narrow.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        foreach (var call in Contract.Kept.Calls)
        {
            Answer answer;
            do
            {
                using var request = await new Calls(api).GoodAsync(call);
                answer = await Answer.OfAsync(await client.SendAsync(request)); // the first of a minute is answered
                MustFit(call, answer);
            }
            while (answer.Status != TooMany);
        }
    }

    private static void MustFit(Call call, Answer answer)
    {
        var faults = call.Faults(answer);
        Assert.True(faults.Count == 0, $"{call} answered {answer.Status}, and not as described: {string.Join("; ", faults)}{Environment.NewLine}{answer.Body}");
        if (answer.Status >= 400)
        {
            answer.MustRefuse(answer.Status, [.. answer.Pointers]);
        }
    }
}
