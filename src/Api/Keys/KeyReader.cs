using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Reads what a key shall be and checks all of it at once; what is wrong is noted under its JSON pointer.</summary>
internal static class KeyReader
{
    public const int LongestName = 100;

    private static readonly string[] Members = ["name", "scopes", "tenant", "expiresAt"];

    private static readonly Dictionary<string, KeyScope> Known = Enum.GetValues<KeyScope>().ToDictionary(Scopes.Name);

    /// <param name="body">What was sent.</param>
    /// <param name="caller">Who makes it.</param>
    /// <param name="own">The name of the caller's tenant.</param>
    /// <param name="key">Its text.</param>
    /// <param name="now">The time, for its end.</param>
    public static NewKey Read(JsonElement body, Caller caller, string own, KeyText key, DateTime now)
    {
        var invalid = new InvalidFields();
        if (body.ValueKind != JsonValueKind.Object)
        {
            invalid.Add("", "must be an object");
            throw Invalid(invalid);
        }

        foreach (var member in body.EnumerateObject().Where(member => !Members.Contains(member.Name)))
        {
            invalid.Add($"/{Pointer.Escape(member.Name)}", $"is unknown; a new key has {string.Join(", ", Members)}");
        }

        var read = new NewKey(key.Id, key.Hash, ReadName(body, invalid), ReadTenant(body, caller, own, invalid), ReadScopes(body, caller, invalid), ReadEnd(body, caller, now, invalid));
        return invalid.Any ? throw Invalid(invalid) : read;
    }

    private static string ReadName(JsonElement body, InvalidFields invalid)
    {
        if (JsonBody.Find(body, "name") is { } given && Storable.Text(given) is { Length: > 0 and <= LongestName } name && !name.Any(char.IsControl))
        {
            return name;
        }

        invalid.Add("/name", $"must be a text of 1 to {LongestName} characters, none of them a control character, that says what the key is for");
        return "";
    }

    private static string ReadTenant(JsonElement body, Caller caller, string own, InvalidFields invalid)
    {
        if (JsonBody.Find(body, "tenant") is not { } given)
        {
            return own;
        }

        if (Storable.Text(given) is not { } name || !QueueName.IsValid(name))
        {
            invalid.Add("/tenant", $"must be {QueueName.Rule}");
        }
        else if (caller.KeysOf is not null && name != own)
        {
            invalid.Add("/tenant", $"must be {own}, or absent: only keys of tenant {TenantName.First} make keys for others");
        }
        else
        {
            return name;
        }

        return own;
    }

    private static KeyScope[] ReadScopes(JsonElement body, Caller caller, InvalidFields invalid)
    {
        var scopes = new List<KeyScope>();
        if (JsonBody.Find(body, "scopes") is not { ValueKind: JsonValueKind.Array } given || given.GetArrayLength() == 0)
        {
            invalid.Add("/scopes", $"must be an array of at least one of {string.Join(", ", Known.Keys)}");
            return [];
        }

        foreach (var (at, one) in given.EnumerateArray().Index())
        {
            if (Storable.Text(one) is not { } name || !Known.TryGetValue(name, out var scope))
            {
                invalid.Add($"/scopes/{at}", $"must be one of {string.Join(", ", Known.Keys)}");
            }
            else if (!caller.Scopes.Contains(scope))
            {
                invalid.Add($"/scopes/{at}", $"is {name}, which your own key does not have; nobody grants what they lack");
            }
            else if (scopes.Contains(scope))
            {
                invalid.Add($"/scopes/{at}", $"is {name} once more");
            }
            else
            {
                scopes.Add(scope);
            }
        }

        return [.. scopes];
    }

    private static DateTime? ReadEnd(JsonElement body, Caller caller, DateTime now, InvalidFields invalid)
    {
        if (JsonBody.Find(body, "expiresAt") is not { } given)
        {
            return caller.ExpiresAt;
        }

        if (Storable.Text(given) is { } text && Rfc3339.Parse(text) is { } end)
        {
            if (end > now && (caller.ExpiresAt is null || end <= caller.ExpiresAt))
            {
                return end;
            }

            invalid.Add("/expiresAt", end <= now ? "must lie in the future" : $"must not be later than {caller.ExpiresAt:O}, when your own key ends");
        }
        else
        {
            invalid.Add("/expiresAt", Rfc3339.Rule);
        }

        return null;
    }

    private static Refusal Invalid(InvalidFields fields) => new(422, "invalid-key", "The key is not valid.", $"Nothing was made. See errors for each member, of which at most {InvalidFields.Most} are named.", fields);
}
