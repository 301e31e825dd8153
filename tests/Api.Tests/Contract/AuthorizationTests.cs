namespace QueueScale.Tests;

/// <summary>Every call of the description, made by those who may not make it. Each is also made by those who may, so that a refusal means something.</summary>
[Collection(OneContractApi.Name)]
public sealed class AuthorizationTests(ContractApi api, Tenants tenants) : IClassFixture<Tenants>
{
    private static readonly string[] Scopes = [.. Enum.GetNames<KeyScope>().Select(scope => scope.ToLowerInvariant())];

    public static TheoryData<string> Ids => [.. Contract.Kept.Calls.Select(call => call.Id)];

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task A_call_is_for_a_live_key_of_its_scope_and_its_tenant_alone(string id)
    {
        var call = Contract.Kept.Find(id);
        var ours = new Calls(api, tenants.OursAll);
        var subject = await ours.SubjectAsync(call);
        HttpRequestMessage Request() => ours.About(call, subject);

        await RefusesAsync(401, Request(), "without a key");
        await RefusesAsync(401, Calls.As(tenants.Revoked, Request()), "with a revoked key");
        foreach (var scope in Scopes.Except([call.Scope]))
        {
            await RefusesAsync(403, Calls.As(tenants.Ours[scope], Request()), $"with the scope {scope} alone");
        }

        var theirs = await api.SendAsync(Calls.As(tenants.TheirsAll, Request()));
        Assert.DoesNotContain(tenants.Mark, theirs.Body, StringComparison.Ordinal);
        if (subject is null || call.Scope == "operate")
        {
            Assert.InRange(theirs.Status, 200, 299); // about what is its own, or all tenants share
            Assert.False(theirs.IsJson && theirs.Json.TryGetProperty("matched", out var matched) && matched.GetInt64() > 0, theirs.Body);
        }
        else if (id == "PutSchedule")
        {
            Assert.Equal(201, theirs.Status); // one of its own, of the same name
        }
        else
        {
            theirs.MustRefuse(404);
        }

        var right = await api.SendAsync(Calls.As(tenants.Ours[call.Scope], Request()));
        Assert.True(right.Status is >= 200 and < 300, $"{call} with the right key answered {right.Status}: {right.Body}");
        if (id is "ListJobs" or "ListSchedules" or "ListKeys")
        {
            Assert.Contains(tenants.Mark, right.Body, StringComparison.Ordinal);
        }

        async Task RefusesAsync(int status, HttpRequestMessage request, string how)
        {
            using (request)
            {
                using var anyone = new HttpClient { BaseAddress = api.Url };
                var answer = await Answer.OfAsync(await anyone.SendAsync(request));
                Assert.True(answer.Status == status, $"{call} {how} answered {answer.Status}: {answer.Body}");
            }
        }
    }
}

/// <summary>Two tenants. The first has a job, a schedule and a key that bear a mark, which the second must never read.</summary>
public sealed class Tenants(ContractApi api) : IAsyncLifetime
{
    public string Mark { get; } = $"mark-{Servers.NewName()}";

    /// <summary>A key for each scope.</summary>
    public Dictionary<string, string> Ours { get; } = [];

    public string OursAll { get; private set; } = "";

    public string TheirsAll { get; private set; } = "";

    public string Revoked { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        string[] all = [.. Enum.GetNames<KeyScope>().Select(scope => scope.ToLowerInvariant())];
        var first = new Calls(api);
        OursAll = await first.KeyOfAsync(all, "ours");
        TheirsAll = await first.KeyOfAsync(all, "theirs");
        foreach (var scope in all)
        {
            Ours[scope] = await first.KeyOfAsync([scope], "ours");
        }

        Revoked = await first.KeyOfAsync(all, "ours");
        Assert.Equal(204, (await api.DeleteAsync($"v1/keys/{Calls.IdOf(Revoked)}")).Status);

        var ours = new Calls(api, OursAll);
        var job = $$"""{"type": "{{RunningApi.Any}}", "queue": "marked", "tags": ["{{Mark}}"]}""";
        Assert.Equal(202, (await ours.SendAsync(Calls.Make(Contract.Kept.Find("SubmitJob"), body: job))).Status);
        Assert.Equal(201, (await ours.SendAsync(Calls.Make(Contract.Kept.Find("PutSchedule"), "marked", body: $$"""{"cron": "0 3 1 1 *", "job": {{job}} }"""))).Status);
        Assert.Equal(201, (await ours.SendAsync(Calls.Make(Contract.Kept.Find("CreateKey"), body: $$"""{"name": "{{Mark}}", "scopes": ["read"]}"""))).Status);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
