using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>keys</c>: makes, lists, rotates and revokes API keys.</summary>
internal static class KeysCommand
{
    public static Command Create() => new("keys", "Make, list, rotate and revoke API keys.") { CreateOne(), List(), Rotate(), Revoke() };

    private static Command CreateOne()
    {
        var name = new Argument<string>("NAME") { Description = "What it is for." };
        var scopes = new Option<KeyScope[]>("--scope") { Description = "What it allows: submit, read, operate or admin; may be repeated. Default: submit and read.", HelpName = "SCOPE", DefaultValueFactory = _ => [KeyScope.Submit, KeyScope.Read] };
        var tenant = new Option<string?>("--tenant") { Description = "Whose jobs it is for; a new name makes a tenant. Default: your own.", HelpName = "NAME" };
        var expires = new Option<DateTimeOffset?>("--expires") { Description = "When it ends. Default: never.", HelpName = "TIME" };
        var (json, target) = (Print.JsonOption(), new ApiTarget());
        var command = new Command("create", "Make a key. It is shown this once.") { name, scopes, tenant, expires, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            Show(await client.CreateKeyAsync(
                new NewApiKey { Name = parsed.GetRequiredValue(name), Scopes = parsed.GetRequiredValue(scopes), Tenant = parsed.GetValue(tenant), ExpiresAt = parsed.GetValue(expires)?.UtcDateTime }, stop), parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command List()
    {
        var (json, target) = (Print.JsonOption(), new ApiTarget());
        var command = new Command("list", "List the keys, without their secrets.") { json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var keys = new List<ApiKey>();
            for (var page = await client.GetKeysAsync(stop); page is not null; page = await client.GetNextAsync(page, stop)) keys.AddRange(page.Items);
            if (parsed.GetValue(json)) Print.Json(keys);
            else Print.Table(["ID", "NAME", "TENANT", "SCOPES", "STATE", "LAST USED"], keys.Select(key => new[] { key.Id, key.Name, key.Tenant, Words(key.Scopes), State(key), key.LastUsedAt is { } used ? $"{used:u}" : "never" }));
            return 0;
        });
        return command;
    }

    private static Command Rotate()
    {
        var id = new Argument<string>("ID") { Description = "The key that shall end." };
        var overlap = new Option<TimeSpan?>("--overlap") { Description = "For so long both are valid, such as 02:00:00 for two hours. Default: a day.", HelpName = "TIME" };
        var (json, target) = (Print.JsonOption(), new ApiTarget());
        var command = new Command("rotate", "Make a key that is like another one, which ends after a while.") { id, overlap, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            Show(await client.RotateKeyAsync(parsed.GetRequiredValue(id), parsed.GetValue(overlap), stop), parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command Revoke()
    {
        var id = new Argument<string>("ID") { Description = "The key." };
        var target = new ApiTarget();
        var command = new Command("revoke", "End a key at once.") { id };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            await client.RevokeKeyAsync(parsed.GetRequiredValue(id), stop);
            Console.Out.WriteLine($"{parsed.GetRequiredValue(id)} is revoked. Within two seconds nobody is let in with it.");
            return 0;
        });
        return command;
    }

    private static void Show(ApiKey key, bool json)
    {
        if (json)
        {
            Print.Json(key);
            return;
        }
        Console.Out.WriteLine(key.Key);
        Console.Error.WriteLine($"Key {key.Id} of tenant {key.Tenant} allows {Words(key.Scopes)}. It is not shown again: keep it now.");
    }

    private static string State(ApiKey key) => key.RevokedAt is not null ? "revoked" : key.ExpiresAt is not { } end ? "valid" : end < DateTime.UtcNow ? "over" : $"until {end:u}";

    private static string Words(IEnumerable<KeyScope> scopes) => string.Join(", ", scopes.Select(scope => Print.Word(scope)));
}
