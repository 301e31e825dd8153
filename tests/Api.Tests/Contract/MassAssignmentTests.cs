using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>What the API decides by itself, no caller can set: not the members of its answers, not the columns of its tables, at no place of any body.</summary>
[Collection(OneContractApi.Name)]
public sealed class MassAssignmentTests(ContractApi api)
{
    [Fact]
    public async Task No_body_takes_a_member_that_is_the_APIs_own_to_set()
    {
        var columns = await api.Stage.QueryAsync<string>("select distinct column_name::text from information_schema.columns where table_schema = 'public'");
        var members = Contract.Kept.Schemas.SelectMany(schema => Members(schema.Value)).ToLookup(member => member.Name, member => member.Value);
        string[] names = [.. members.Select(member => member.Key).Concat(columns).Concat(columns.Select(Camel)).Distinct().Order(StringComparer.Ordinal)];
        Assert.Contains("tenant", names);
        Assert.Contains("finishedAt", names);
        var places = Contract.Kept.Calls.Where(call => call.BodySchema is not null).SelectMany(call => Places(call.BodySchema!.Value, "").Select(place => (Call: call, place.Pointer, place.Known))).ToArray();
        Assert.Contains(places, place => place is { Call.Id: "PutSchedule", Pointer: "/job" });

        var before = await api.RowsAsync();
        var values = new SchemaValues(Contract.Kept.Root, new Random(1));
        var wrong = new List<string>();
        foreach (var (call, pointer, known) in places)
        {
            foreach (var name in names.Except(known))
            {
                var body = JsonNode.Parse(Calls.Body(call))!;
                var at = pointer.Split('/').Skip(1).Aggregate(body, (found, step) => found is JsonArray array ? array[int.Parse(step, null)]! : found[step]!).AsObject();
                at[name] = members[name].Select(schema => values.Fitting(schema)).FirstOrDefault(1); // as it would have to be
                using var request = await new Calls(api).GoodAsync(call);
                request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
                var answer = await api.SendAsync(request);
                if (answer.Status != 422 || !answer.Pointers.SequenceEqual([$"{pointer}/{name}"]))
                {
                    wrong.Add($"{call} with {name} at '{pointer}' answered {answer.Status}: {answer.Body}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
        Assert.Equal(before, await api.RowsAsync());
    }

    /// <summary>The objects of a body, and the members that they have.</summary>
    private static IEnumerable<(string Pointer, string[] Known)> Places(JsonElement written, string pointer)
    {
        var schema = Contract.Kept.Resolve(written);
        if (schema.TryGetProperty("items", out var items))
        {
            return Places(items, $"{pointer}/0");
        }

        return Members(schema) is { Length: > 0 } members
            ? members.SelectMany(member => Places(member.Value, $"{pointer}/{member.Name}")).Prepend((pointer, [.. members.Select(member => member.Name)]))
            : [];
    }

    private static JsonProperty[] Members(JsonElement schema) => schema.TryGetProperty("properties", out var members) ? [.. members.EnumerateObject()] : [];

    private static string Camel(string column) => string.Concat(column.Split('_').Select((word, index) => index == 0 ? word : $"{char.ToUpperInvariant(word[0])}{word[1..]}"));
}
