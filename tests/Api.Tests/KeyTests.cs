using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class KeyTests(RunningApi api)
{
    [Fact]
    public async Task A_key_allows_what_its_scopes_say_and_nothing_else()
    {
        var key = await CreateAsync("""{"name": "reader", "scopes": ["read"]}""");
        using var reader = With(key);
        Assert.Equal(200, (await GetAsync(reader, "v1/jobs")).Status);
        var refused = await Answer.OfAsync(await reader.PostAsync(new Uri("v1/jobs", UriKind.Relative), Json($$"""{"type": "{{RunningApi.Any}}"}""")));
        refused.MustRefuse(403);
        Assert.Contains("submit", refused.Text("detail"), StringComparison.Ordinal);
        (await GetAsync(reader, "v1/queues")).MustRefuse(403);
        (await GetAsync(reader, "v1/keys")).MustRefuse(403);
        (await GetAsync(reader, "v1/no-such-thing")).MustRefuse(404);
    }

    [Fact]
    public async Task Of_a_key_only_its_hash_is_kept()
    {
        var created = await PostAsync("""{"name": "kept nowhere", "scopes": ["read", "submit"]}""");
        Assert.Equal(201, created.Status);
        Assert.Equal("no-store", created.Headers.CacheControl?.ToString());
        var (id, text) = (created.Text("id")!, created.Text("key")!);
        Assert.Matches($"^qs_{id}_[0-9A-Za-z]{{38}}$", text);
        Assert.Equal($"/v1/keys/{id}", created.Headers.Location?.ToString());
        Assert.Equal(SHA256.HashData(Encoding.UTF8.GetBytes(text)), await api.Stage.ScalarAsync<byte[]>("select hash from api_keys where id = $1", id));
        Assert.Equal(0, await api.Stage.ScalarAsync<long>("select count(*) from api_keys k where k::text like $1", $"%{text[16..40]}%"));

        var read = await api.GetAsync($"v1/keys/{id}");
        Assert.Equal("kept nowhere", read.Text("name"));
        Assert.Equal("default", read.Text("tenant"));
        Assert.False(read.Json.TryGetProperty("key", out _));
        Assert.DoesNotContain(text[16..40], (await api.GetAsync("v1/keys?limit=200")).Body, StringComparison.Ordinal);
        Assert.Contains(id, (await api.GetAsync("v1/keys?limit=200")).Body, StringComparison.Ordinal);
        using (var bearer = With(text)) Assert.Equal(200, (await GetAsync(bearer, "v1/jobs")).Status);
        Assert.DoesNotContain(text[16..40], await File.ReadAllTextAsync(api.Process.Process.LogPath), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_is_worth_nothing_from_then_on()
    {
        var key = await CreateAsync("""{"name": "soon over", "scopes": ["read"]}""");
        using var bearer = With(key);
        Assert.Equal(200, (await GetAsync(bearer, "v1/jobs")).Status);
        Assert.Equal(204, (await api.DeleteAsync($"v1/keys/{Id(key)}")).Status);
        (await GetAsync(bearer, "v1/jobs")).MustRefuse(401);
        Assert.Equal(204, (await api.DeleteAsync($"v1/keys/{Id(key)}")).Status);
        Assert.NotNull((await api.GetAsync($"v1/keys/{Id(key)}")).Text("revokedAt"));
        (await PostAsync("", $"v1/keys/{Id(key)}/rotate")).MustRefuse(409);
        (await api.DeleteAsync("v1/keys/nosuchkey123")).MustRefuse(404);
    }

    [Fact]
    public async Task A_key_ends_when_it_was_to_end_and_a_rotated_one_after_the_overlap()
    {
        var key = await CreateAsync($$"""{"name": "until soon", "scopes": ["read"], "expiresAt": "{{DateTime.UtcNow.AddMinutes(5):O}}"}""");
        var rotated = await PostAsync("", $"v1/keys/{Id(key)}/rotate?overlap=PT1M");
        Assert.Equal(201, rotated.Status);
        using var old = With(key);
        using var fresh = With(rotated.Text("key")!);
        Assert.Equal((200, 200), ((await GetAsync(old, "v1/jobs")).Status, (await GetAsync(fresh, "v1/jobs")).Status));
        Assert.InRange((await api.GetAsync($"v1/keys/{Id(key)}")).Json.GetProperty("expiresAt").GetDateTime() - DateTime.UtcNow, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1));
        Assert.InRange((await api.GetAsync(rotated.Headers.Location!.ToString())).Json.GetProperty("expiresAt").GetDateTime() - DateTime.UtcNow, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));

        await api.Stage.ExecuteAsync($"update api_keys set expires_at = now() - interval '1 s' where id = '{Id(key)}'");
        await Waiting.UntilAsync(async () => (await GetAsync(old, "v1/jobs")).Status == 401);
        Assert.Equal(200, (await GetAsync(fresh, "v1/jobs")).Status);
    }

    [Fact]
    public async Task Who_has_a_key_for_a_while_makes_none_for_longer()
    {
        var end = DateTime.UtcNow.AddMinutes(5);
        using var admin = With(await CreateAsync($$"""{"name": "for a while", "scopes": ["admin"], "expiresAt": "{{end:O}}"}"""));
        Assert.Equal(end, (await SendAsync(admin, """{"name": "n", "scopes": ["admin"]}""")).Json.GetProperty("expiresAt").GetDateTime(), TimeSpan.FromMilliseconds(1));
        (await SendAsync(admin, $$"""{"name": "n", "scopes": ["admin"], "expiresAt": "{{end.AddSeconds(1):O}}"}""")).MustRefuse(422, "/expiresAt");
        var ours = await CreateAsync("""{"name": "without end", "scopes": ["admin"]}""");
        var rotated = await Answer.OfAsync(await admin.PostAsync(new Uri($"v1/keys/{Id(ours)}/rotate", UriKind.Relative), null));
        Assert.Equal(end, rotated.Json.GetProperty("expiresAt").GetDateTime(), TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task Who_follows_a_job_with_a_key_that_is_revoked_hears_no_more_of_it()
    {
        var key = await CreateAsync("""{"name": "follows", "scopes": ["read"]}""");
        var job = await api.AcceptedAsync();
        using var bearer = With(key);
        using var answer = await bearer.GetAsync(new Uri($"v1/jobs/{job}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync());
        while (!(await events.ReadLineAsync())!.StartsWith("data:", StringComparison.Ordinal))
        {
        }

        Assert.Equal(204, (await api.DeleteAsync($"v1/keys/{Id(key)}")).Status);
        await api.Stage.ExecuteAsync($"update jobs set interruptions = 1 where id = '{job}'");
        Assert.DoesNotContain("data:", await events.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "")]
    [InlineData("{}", "/name", "/scopes")]
    [InlineData("""{"name": "", "scopes": []}""", "/name", "/scopes")]
    [InlineData("""{"name": "a\u0000b", "scopes": ["read", "read", "everything", 3]}""", "/name", "/scopes/1", "/scopes/2", "/scopes/3")]
    [InlineData("""{"name": "n", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}""", "/expiresAt")]
    [InlineData("""{"name": "n", "scopes": ["read"], "expiresAt": "tomorrow", "tenant": "No Name"}""", "/expiresAt", "/tenant")]
    [InlineData("""{"name": "n", "scopes": ["read"], "id": "x", "key": "y", "hash": "z", "createdAt": "2020-01-01T00:00:00Z"}""", "/createdAt", "/hash", "/id", "/key")]
    public async Task A_key_that_cannot_be_is_refused_with_what_is_wrong(string body, params string[] pointers)
    {
        var before = await api.Stage.ScalarAsync<long>("select count(*) from api_keys");
        (await PostAsync(body)).MustRefuse(422, pointers);
        Assert.Equal(before, await api.Stage.ScalarAsync<long>("select count(*) from api_keys"));
    }

    [Fact]
    public async Task A_tenant_keeps_its_own_keys_only_and_grants_nothing_that_it_lacks()
    {
        var admin = await CreateAsync("""{"name": "b's admin", "scopes": ["admin", "read"], "tenant": "keeps-keys"}""");
        using var b = With(admin);
        var ours = await CreateAsync("""{"name": "ours", "scopes": ["admin", "operate", "read"]}""");
        (await GetAsync(b, $"v1/keys/{Id(ours)}")).MustRefuse(404);
        (await Answer.OfAsync(await b.DeleteAsync(new Uri($"v1/keys/{Id(ours)}", UriKind.Relative)))).MustRefuse(404);
        (await Answer.OfAsync(await b.PostAsync(new Uri($"v1/keys/{Id(ours)}/rotate", UriKind.Relative), null))).MustRefuse(404);
        Assert.Equal([Id(admin)], (await GetAsync(b, "v1/keys")).Json.GetProperty("items").EnumerateArray().Select(key => key.GetProperty("id").GetString()));

        (await SendAsync(b, """{"name": "n", "scopes": ["operate"]}""")).MustRefuse(422, "/scopes/0");
        (await SendAsync(b, """{"name": "n", "scopes": ["read"], "tenant": "default"}""")).MustRefuse(422, "/tenant");
        var own = await SendAsync(b, """{"name": "n", "scopes": ["read"]}""");
        Assert.Equal("keeps-keys", own.Text("tenant"));

        var stronger = await CreateAsync("""{"name": "b's operator", "scopes": ["operate"], "tenant": "keeps-keys"}""");
        (await Answer.OfAsync(await b.PostAsync(new Uri($"v1/keys/{Id(stronger)}/rotate", UriKind.Relative), null))).MustRefuse(403);
    }

    [Fact]
    public async Task A_tenant_sees_its_own_jobs_only()
    {
        using var b = With(await CreateAsync("""{"name": "b", "scopes": ["submit", "read"], "tenant": "sees-own"}"""));
        var theirs = await api.AcceptedAsync();
        (await GetAsync(b, $"v1/jobs/{theirs}")).MustRefuse(404);
        Assert.Empty((await GetAsync(b, "v1/jobs")).Json.GetProperty("items").EnumerateArray());
        var own = await Answer.OfAsync(await b.PostAsync(new Uri("v1/jobs", UriKind.Relative), Json($$"""{"type": "{{RunningApi.Any}}"}""")));
        Assert.Equal(202, own.Status);
        (await api.GetAsync($"v1/jobs/{own.JobId}")).MustRefuse(404);
        Assert.Equal([own.JobId], (await GetAsync(b, "v1/jobs")).Json.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("id").GetGuid()));
    }

    private static string Id(string key) => key.Split('_')[1];

    private async Task<string> CreateAsync(string body)
    {
        var answer = await PostAsync(body);
        Assert.True(answer.Status == 201, answer.Body);
        return answer.Text("key")!;
    }

    private Task<Answer> PostAsync(string body, string path = "v1/keys") => api.PostAsync(path, Encoding.UTF8.GetBytes(body));

    private static async Task<Answer> SendAsync(HttpClient client, string body) => await Answer.OfAsync(await client.PostAsync(new Uri("v1/keys", UriKind.Relative), Json(body)));

    private static async Task<Answer> GetAsync(HttpClient client, string path) => await Answer.OfAsync(await client.GetAsync(new Uri(path, UriKind.Relative)));

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private HttpClient With(string key) => new() { BaseAddress = api.Url, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };
}
