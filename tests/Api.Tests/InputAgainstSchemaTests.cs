namespace QueueScale.Tests;

/// <summary>An input against the schema that workers registered: what is wrong is named exactly where it stands.</summary>
[Collection(OneApi.Name)]
public sealed class InputAgainstSchemaTests(RunningApi api)
{
    [Theory]
    [InlineData("""{}""", "/name", "is required")]
    [InlineData("""[]""", "", "must be an object")]
    [InlineData("""5""", "", "must be an object")]
    [InlineData("""{"name": 5}""", "/name", "must be a string")]
    [InlineData("""{"name": null}""", "/name", "must be a string")]
    [InlineData("""{"name": "a"}""", "/name", "at least 2")]
    [InlineData("""{"name": "abcdef"}""", "/name", "at most 5")]
    [InlineData("""{"name": "ok", "nick": 5}""", "/nick", "must be a string")]
    [InlineData("""{"name": "ok", "nick": "abcdef"}""", "/nick", "at most 5")]
    [InlineData("""{"name": "ok", "count": 0}""", "/count", "at least 1")]
    [InlineData("""{"name": "ok", "count": -0}""", "/count", "at least 1")]
    [InlineData("""{"name": "ok", "count": 11}""", "/count", "at most 10")]
    [InlineData("""{"name": "ok", "count": 1.5}""", "/count", "whole number")]
    [InlineData("""{"name": "ok", "count": 1.0}""", "/count", "whole number")] // no .NET handler could read it
    [InlineData("""{"name": "ok", "count": 1e0}""", "/count", "whole number")]
    [InlineData("""{"name": "ok", "count": "1"}""", "/count", "whole number")]
    [InlineData("""{"name": "ok", "count": 123456789012345678901234567890}""", "/count", "at most 10")]
    [InlineData("""{"name": "ok", "count": -123456789012345678901234567890123456789012345678901234567890}""", "/count", "at least 1")]
    [InlineData("""{"name": "ok", "big": 9223372036854775808}""", "/big", "at most 9223372036854775807")]
    [InlineData("""{"name": "ok", "big": -9223372036854775809}""", "/big", "at least -9223372036854775808")]
    [InlineData("""{"name": "ok", "ratio": -1e-5}""", "/ratio", "at least 0")]
    [InlineData("""{"name": "ok", "ratio": "1"}""", "/ratio", "must be a number")]
    [InlineData("""{"name": "ok", "flag": 1}""", "/flag", "true or false")]
    [InlineData("""{"name": "ok", "mode": "Append"}""", "/mode", "one of append, replace")]
    [InlineData("""{"name": "ok", "mode": 0}""", "/mode", "one of append, replace")]
    [InlineData("""{"name": "ok", "code": "A"}""", "/code", "match")]
    [InlineData("""{"name": "ok", "code": "a\n"}""", "/code", "match")]
    [InlineData("""{"name": "ok", "code": ""}""", "/code", "match")]
    [InlineData("""{"name": "ok", "at": "tomorrow"}""", "/at", "2030-01-31T12:00:00Z")]
    [InlineData("""{"name": "ok", "at": "2030-01-31 12:00:00"}""", "/at", "2030-01-31T12:00:00Z")]
    [InlineData("""{"name": "ok", "ref": "x"}""", "/ref", "UUID")]
    [InlineData("""{"name": "ok", "list": {}}""", "/list", "must be an array")]
    [InlineData("""{"name": "ok", "list": [{"id": 1}, {"id": 2}, {"id": 3}]}""", "/list", "at most 2")]
    [InlineData("""{"name": "ok", "list": [{"id": 1}, {"id": "x"}]}""", "/list/1/id", "whole number")]
    [InlineData("""{"name": "ok", "list": [{}]}""", "/list/0/id", "is required")]
    [InlineData("""{"name": "ok", "list": [{"id": 1, "a/b~": 2}]}""", "/list/0/a~1b~0", "unknown")]
    [InlineData("""{"name": "ok", "list": [7]}""", "/list/0", "must be an object")]
    [InlineData("""{"name": "ok", "columns": ["ok", "Bad"]}""", "/columns/1", "match")]
    [InlineData("""{"name": "ok", "columns": [{"nam": "x"}]}""", "/columns/0/name", "is required", "/columns/0/nam")]
    [InlineData("""{"name": "ok", "columns": [5]}""", "/columns/0", "must be a string or an object")]
    [InlineData("""{"name": "ok", "map": {"a.b": 1, "c/d": "x", "it's": "x", "e]": 2.5}}""", "/map/c~1d", "whole number", "/map/it's", "/map/e]")]
    [InlineData("""{"name": "ok", "tree": {"leaf": 1, "tree": {"tree": {"leaf": "x"}}}}""", "/tree/tree/tree/leaf", "whole number")]
    [InlineData("""{"name": "ok", "tree": {"tree": {"lef": 1}}}""", "/tree/tree/lef", "unknown")]
    [InlineData("""{"name": "ok", "odd": {"a/b": "x", "c~d": "x", "e.f": "x", "g[0]": "x", "": "x"}}""", "/odd/a~1b", "whole number", "/odd/c~0d", "/odd/e.f", "/odd/g[0]", "/odd/")]
    [InlineData("""{"name": "ok", "none": 1}""", "/none", "not allowed")]
    [InlineData("""{"name": "ok", "Name": "ok"}""", "/Name", "unknown")]
    [InlineData("""{"name": "ok", "extra.dot": 1}""", "/extra.dot", "unknown")]
    public async Task What_does_not_fit_is_named(string input, string at, string saying, params string[] more)
    {
        var answer = await api.RefusesAsync(() => api.SubmitStrictAsync(input), 422, [$"/input{at}", .. more.Select(m => $"/input{m}")]);
        Assert.Contains(saying, answer.Said($"/input{at}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"name": "ok"}""")]
    [InlineData("""{"name": "ok", "nick": null, "mode": null, "list": null, "columns": null, "tree": null}""")]
    [InlineData("""{"name": "abcde", "nick": "", "count": 10, "big": -9223372036854775808, "ratio": 0.5, "flag": false, "mode": "replace", "code": "abc"}""")]
    [InlineData("""{"name": "ok", "at": "2030-01-31T12:00:00.5+01:00", "ref": "019a0000-0000-7000-8000-000000000000", "ratio": 1e300}""")]
    [InlineData("""{"name": "ok", "list": [{"id": 1}, {"id": -99999999999}], "columns": ["a", {"name": "B"}], "map": {"a.b": 1}, "odd": {"a/b": 1, "more": []}}""")]
    [InlineData("""{"name": "ok", "free": [1, {"any": null}], "tree": {"tree": {"tree": {"leaf": 3}}}}""")]
    public async Task What_fits_is_accepted(string input)
    {
        var answer = await api.SubmitStrictAsync(input);
        Assert.True(answer.Status == 202, answer.Body);
    }

    [Theory]
    [InlineData("")]
    [InlineData(", \"input\": null")]
    public async Task Without_an_input_an_empty_object_is_checked(string members) => await api.RefusesAsync(() => api.SubmitAsync($"{{\"type\": \"test.strict\"{members}}}"), 422, "/input/name");

    [Fact]
    public async Task A_schema_that_nobody_can_use_holds_up_no_other_type()
    {
        await using var database = api.Stage.NewDatabase();
        await new JobTypes(database).RegisterAsync(
            [
                new("test.broken-pattern", "default", 3, null, """{"type": "object", "properties": {"a": {"pattern": "("}}}"""),
                new("test.broken-schema", "default", 3, null, "[1, 2]"),
                new("test.broken-reference", "default", 3, null, """{"$ref": "#/nowhere"}"""),
                new("test.endless-reference", "default", 3, null, """{"$ref": "#"}"""),
                new("test.nonsense", "default", 3, null, """{"type": 5, "properties": [], "required": "x", "enum": 7, "items": "x", "minimum": "low", "maxLength": -1.5, "anyOf": {}}"""),
            ],
            CancellationToken.None);
        foreach (var type in new[] { "broken-pattern", "broken-schema", "broken-reference", "endless-reference", "nonsense" })
        {
            await Waiting.UntilAsync(async () =>
            {
                var answer = await api.RefusesAsync(() => api.SubmitAsync($$$"""{"type": "test.{{{type}}}", "input": {"a": "x"}}"""), 422, "/type");
                return answer.Said("/type").Contains("schema", StringComparison.Ordinal); // not only unknown yet
            }, patience: TimeSpan.FromSeconds(3));
            await api.AcceptedAsync();
        }

        await api.Stage.ExecuteAsync("delete from job_types where name like 'test.broken%' or name in ('test.endless-reference', 'test.nonsense')");
    }

    [Fact]
    public async Task A_pattern_that_takes_for_ever_ends_in_a_refusal()
    {
        await using var database = api.Stage.NewDatabase();
        await new JobTypes(database).RegisterAsync([new("test.slow-pattern", "default", 3, null, """{"type": "string", "pattern": "^(a+)+$"}""")], CancellationToken.None);
        await Waiting.UntilAsync(async () => (await api.SubmitAsync("""{"type": "test.slow-pattern", "input": "aaa"}""")).Status == 202);
        var asked = TimeProvider.System.GetTimestamp();
        await api.RefusesAsync(() => api.SubmitAsync($$"""{"type": "test.slow-pattern", "input": "{{new string('a', 60)}}!"}"""), 422, "/input");
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 2);
    }

    [Fact]
    public async Task An_answer_to_a_hundred_thousand_mistakes_is_bounded()
    {
        var answer = await api.SubmitStrictAsync($$"""{"name": "ok", "map": { {{string.Join(',', Enumerable.Range(0, 15_000).Select(i => $"\"m{i}\": \"x\""))}} } }""");
        Assert.Equal(422, answer.Status);
        Assert.InRange(answer.Pointers.Count, 50, 200);
    }
}
