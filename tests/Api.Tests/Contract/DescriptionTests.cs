using Microsoft.OpenApi;

namespace QueueScale.Tests;

/// <summary>The description itself: kept in the checkout, valid, and complete.</summary>
[Collection(OneContractApi.Name)]
public sealed class DescriptionTests(ContractApi api)
{
    private const string Write = "QUEUESCALE_WRITE_OPENAPI";

    [Fact]
    public async Task The_description_that_is_kept_is_the_one_that_the_API_serves_to_everybody()
    {
        using var anyone = new HttpClient { BaseAddress = api.Url };
        var served = await anyone.GetStringAsync(new Uri("openapi/v1.json", UriKind.Relative), TestContext.Current.CancellationToken) + "\n";
        if (Environment.GetEnvironmentVariable(Write) == "1")
        {
            await File.WriteAllTextAsync(Contract.Path, served, TestContext.Current.CancellationToken);
        }

        var kept = await File.ReadAllTextAsync(Contract.Path, TestContext.Current.CancellationToken);
        Assert.True(served == kept, $"docs/reference/openapi.json is not what the API serves. Run '{Write}=1 ./queuescale test --only Api.Tests -- -class \"*DescriptionTests\"', read what changed, and commit the file.");
    }

    [Fact]
    public async Task The_description_is_valid_OpenAPI_3_1()
    {
        var text = await File.ReadAllTextAsync(Contract.Path, TestContext.Current.CancellationToken);
        Assert.StartsWith("3.1.", JsonElement.Parse(text).GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var read = OpenApiDocument.Parse(text, "json");
        Assert.Equal("", string.Join(Environment.NewLine, read.Diagnostic!.Errors.Concat(read.Diagnostic.Warnings)));
        Assert.Equal(new Contract(text).Calls.Count, read.Document!.Paths.Values.Sum(path => path.Operations!.Count));
    }

    [Fact]
    public void Every_call_tells_what_it_does_takes_and_answers_with_an_example_that_fits()
    {
        var faults = new List<string>();
        foreach (var call in Contract.Kept.Calls)
        {
            Demand(call.Summary.Length > 0, $"{call} has no summary");
            Demand(call.Answers.Keys.Any(status => status < 300), $"{call} does not say how it succeeds");
            Demand(new[] { 401, 403, 429, 503 }.All(call.Answers.ContainsKey), $"{call} does not say that it may answer 401, 403, 429 and 503");
            Demand(Enum.TryParse<KeyScope>(call.Scope, ignoreCase: true, out _), $"{call} does not say which scope it needs");
            Demand(call.Path.Split('/').Where(part => part.StartsWith('{')).SequenceEqual(call.InPath.Select(name => $"{{{name}}}")), $"{call} does not name what varies in its address");
            foreach (var parameter in call.Parameters)
            {
                var name = parameter.GetProperty("name").GetString();
                Demand(parameter.TryGetProperty("description", out _), $"{call} does not say what {name} means: add it to Parameters");
                Demand(parameter.TryGetProperty("example", out var example), $"{call} has no example of {name}");
                Check(parameter.GetProperty("schema"), example, $"{call}'s example of {name}");
            }

            foreach (var (type, body) in call.Bodies)
            {
                Examine(body, $"{call}'s body as {type}");
            }

            foreach (var (status, answer) in call.Answers)
            {
                foreach (var content in answer.TryGetProperty("content", out var contents) ? contents.EnumerateObject() : default)
                {
                    Examine(content.Value, $"{call}'s answer {status}");
                }
            }
        }

        foreach (var member in Contract.Kept.Schemas.SelectMany(schema => schema.Value.TryGetProperty("properties", out var members) ? members.EnumerateObject().Select(member => (Name: $"{schema.Name}.{member.Name}", member.Value)) : []))
        {
            Demand(member.Value.TryGetProperty("description", out _), $"{member.Name} has no description");
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));

        void Examine(JsonElement content, string what)
        {
            var examples = content.TryGetProperty("example", out var only) ? [only] : content.TryGetProperty("examples", out var several) ? several.EnumerateObject().Select(one => one.Value.GetProperty("value")).ToArray() : [];
            Demand(examples.Length > 0, $"{what} has no example: add it to Examples or ProblemExamples");
            foreach (var example in examples)
            {
                Check(content.GetProperty("schema"), example, what);
            }
        }

        void Check(JsonElement schema, JsonElement example, string what) => faults.AddRange(Contract.Kept.Faults(schema, example).Select(fault => $"{what} does not fit: {fault}"));

        void Demand(bool holds, string otherwise)
        {
            if (!holds)
            {
                faults.Add(otherwise);
            }
        }
    }
}
