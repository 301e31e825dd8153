namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class BulkTests(RunningApi api)
{
    [Theory]
    [InlineData("cancel", "state")]
    [InlineData("cancel?rate=0&queue=default", "rate")]
    [InlineData("cancel?state=failed", "state")]
    [InlineData("cancel?from=start&queue=default", "from")]
    [InlineData("retry?state=succeeded", "state")]
    [InlineData("retry?from=here", "from")]
    [InlineData("retry?dryRun=maybe", "dryRun")]
    [InlineData("retry?limit=5", "limit")]
    public async Task A_request_in_bulk_that_cannot_be_meant_is_refused(string call, string named)
    {
        (await api.PostAsync($"v1/jobs/{call}", [])).MustRefuse(400, named);
        Assert.Equal(0, await api.Stage.ScalarAsync<long>("select count(*) from bulk_requests"));
    }

    [Theory]
    [InlineData(JobState.Queued)]
    [InlineData(JobState.Succeeded)]
    public async Task What_has_not_failed_is_not_run_again(JobState state)
    {
        var id = await api.AcceptedAsync();
        await api.Stage.ExecuteAsync($"update jobs set state = {(short)state} where id = '{id}'");
        var refused = (await api.PostAsync($"v1/jobs/{id}/retry", [])).MustRefuse(409);
        Assert.Contains(state.ToString().ToLowerInvariant(), refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        (await api.PostAsync($"v1/jobs/{id}/retry?from=there", [])).MustRefuse(400, "from");
    }

    [Fact]
    public async Task More_than_a_tenant_may_have_under_way_are_refused()
    {
        await api.Stage.ExecuteAsync(
            """
            insert into bulk_requests (id, tenant, action, from_start, rate, states, matched, last, page_at)
            select gen_random_uuid(), 1, 'Retry', false, 1, '{6}', 0, gen_random_uuid(), clock_timestamp() + '1 h'::interval from generate_series(1, 20)
            """);
        var refused = (await api.PostAsync("v1/jobs/retry?queue=nobodys", [])).MustRefuse(429);
        Assert.EndsWith("too-many-open", refused.Json.GetProperty("type").GetString(), StringComparison.Ordinal);
        await api.Stage.ExecuteAsync("update bulk_requests set finished_at = clock_timestamp() - '40 d'::interval where id = (select id from bulk_requests limit 1)");
        Assert.Equal(202, (await api.PostAsync("v1/jobs/retry?queue=nobodys", [])).Status);
        await api.Stage.ExecuteAsync("delete from bulk_requests");
    }

    [Fact]
    public async Task What_is_not_there_is_404()
    {
        (await api.PostAsync($"v1/jobs/{Guid.NewGuid()}/retry", [])).MustRefuse(404);
        (await api.GetAsync($"v1/bulk/{Guid.NewGuid()}")).MustRefuse(404);
        (await api.GetAsync("v1/bulk/all")).MustRefuse(404);
    }
}
