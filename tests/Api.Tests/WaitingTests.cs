namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class WaitingTests(RunningApi api)
{
    private const string Job = $$"""{"type": "{{RunningApi.Any}}"}""";

    [Fact]
    public async Task A_submission_that_waits_is_answered_with_the_final_job()
    {
        var queue = Servers.NewName();
        var answer = SubmitAsync($$"""{"type": "{{RunningApi.Any}}", "queue": "{{queue}}"}""", "respond-async, wait=9");
        await Waiting.UntilAsync(async () => await api.Stage.ScalarAsync<long>("select count(*) from jobs where queue = $1", queue) == 1);
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(answer.IsCompleted);
        var took = TimeProvider.System.GetTimestamp();
        await api.Stage.ExecuteAsync($"update jobs set state = 5, result = '42', finished_at = clock_timestamp() where queue = '{queue}'");
        var final = await answer;
        Assert.InRange(TimeProvider.System.GetElapsedTime(took).TotalSeconds, 0, 1);
        Assert.Equal((200, "succeeded", 42, "wait=9"), (final.Status, State(final), final.Json.GetProperty("result").GetInt32(), Applied(final)));
        Assert.EndsWith($"{final.JobId}", $"{final.Headers.Location}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_the_time_is_over_a_submission_is_answered_as_accepted_and_a_read_with_what_is()
    {
        var begun = TimeProvider.System.GetTimestamp();
        var accepted = await SubmitAsync(Job, "wait=1");
        Assert.Equal((202, "queued", "wait=1"), (accepted.Status, State(accepted), Applied(accepted)));
        var read = await ReadAsync(accepted.JobId, "wait=1");
        Assert.Equal((200, "queued", "wait=1"), (read.Status, State(read), Applied(read)));
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 2, 4);
    }

    [Fact]
    public async Task A_read_waits_for_the_end_and_for_nothing_less()
    {
        var id = await api.AcceptedAsync();
        var answer = ReadAsync(id, "wait=9");
        await Task.Delay(300, TestContext.Current.CancellationToken);
        await api.Stage.ExecuteAsync($"update jobs set interruptions = 1 where id = '{id}'");
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(answer.IsCompleted);
        await EndAsync(id);
        Assert.Equal((200, "succeeded"), ((await answer).Status, State(await answer)));
    }

    [Fact]
    public async Task A_repeat_with_the_same_key_waits_too()
    {
        var key = Guid.NewGuid().ToString();
        var first = await SubmitAsync(Job, "wait=0", key);
        var again = SubmitAsync(Job, "wait=9", key);
        await Task.Delay(300, TestContext.Current.CancellationToken);
        await EndAsync(first.JobId);
        Assert.Equal((200, first.JobId, "true"), ((await again).Status, (await again).JobId, (await again).Headers.GetValues("Idempotent-Replayed").Single()));
    }

    [Theory]
    [InlineData("wait=3600", "wait=50")]
    [InlineData("respond-async, wait=10; strict", "wait=10")]
    [InlineData("respond-async", null)]
    [InlineData("waiting", null)]
    public async Task A_longer_wait_is_cut_and_other_preferences_are_passed_over(string prefer, string? applied)
    {
        var id = await api.AcceptedAsync();
        await EndAsync(id);
        Assert.Equal(applied, Applied(await ReadAsync(id, prefer)));
    }

    [Theory]
    [InlineData("wait=soon")]
    [InlineData("wait=")]
    [InlineData("wait=-1")]
    [InlineData("wait=1.5")]
    public async Task A_wait_without_a_number_is_refused_before_anything_is_stored(string prefer)
    {
        var refused = await api.RefusesAsync(() => SubmitAsync(Job, prefer), 400);
        Assert.Contains("wait=N", refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_has_not_changed_is_not_sent_again()
    {
        var id = await api.AcceptedAsync();
        var first = await ReadAsync(id);
        Assert.Equal((true, true, null), (first.Headers.CacheControl!.Private, first.Headers.CacheControl.NoCache, first.Headers.CacheControl.MaxAge));
        Assert.Equal(304, (await ReadAsync(id, known: $"{first.Headers.ETag}")).Status);
        await EndAsync(id);
        var final = await ReadAsync(id, known: $"{first.Headers.ETag}");
        Assert.Equal((200, "succeeded"), (final.Status, State(final)));
        Assert.Equal((TimeSpan.FromSeconds(60), true), (final.Headers.CacheControl!.MaxAge, final.Headers.CacheControl.Private)); // nothing makes another of it any more
        Assert.NotEqual(first.Headers.ETag, final.Headers.ETag);

        var failed = await api.AcceptedAsync();
        await api.Stage.ExecuteAsync($"update jobs set state = 6 where id = '{failed}'");
        Assert.True((await ReadAsync(failed)).Headers.CacheControl!.NoCache); // somebody may have it run again
    }

    private static string State(Answer answer) => answer.Json.GetProperty("state").GetString()!;

    private static string? Applied(Answer answer) => answer.Headers.TryGetValues("Preference-Applied", out var applied) ? applied.Single() : null;

    private Task EndAsync(Guid id) => api.Stage.ExecuteAsync($"update jobs set state = 5, finished_at = clock_timestamp() where id = '{id}'");

    private async Task<Answer> SubmitAsync(string body, string prefer, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StringContent(body, Encoding.UTF8, "application/json"), Headers = { { "Prefer", prefer } } };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await api.SendAsync(request);
    }

    private async Task<Answer> ReadAsync(Guid id, string? prefer = null, string? known = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/jobs/{id}");
        if (prefer is not null)
        {
            request.Headers.Add("Prefer", prefer);
        }

        if (known is not null)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", known);
        }

        return await api.SendAsync(request);
    }
}
