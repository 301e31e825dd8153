using System.Globalization;
using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Reads a query strictly: what is unknown, given twice, empty or not as it must be is noted under its name.</summary>
internal sealed class JobQuery
{
    public const int MaxPage = 200;
    public const int DefaultPage = 50;

    private static readonly Dictionary<string, JobState> States =
        Enum.GetValues<JobState>().ToDictionary(state => JsonNamingPolicy.CamelCase.ConvertName(state.ToString()), StringComparer.OrdinalIgnoreCase);

    private readonly IQueryCollection query;
    private readonly InvalidFields invalid = new();

    private JobQuery(IQueryCollection query, string[] names)
    {
        this.query = query;
        foreach (var name in query.Keys.Where(name => !names.Contains(name)))
        {
            invalid.Add(name, $"is unknown; this call takes {string.Join(", ", names)}");
        }
    }

    /// <summary>What narrows a list.</summary>
    public static string[] Filters { get; } = ["state", "type", "queue", "tag", "createdAfter", "createdBefore"];

    /// <summary>What a list takes.</summary>
    public static string[] OfList { get; } = [.. Filters, "limit", "after", "fields"];

    private static readonly string[] JobMembers = [.. ApiJson.Default.Job.Properties.Select(property => property.Name)];

    /// <summary>Reads a query with <paramref name="read"/>.</summary>
    /// <exception cref="Refusal">400: it holds what is not taken.</exception>
    public static T Read<T>(HttpContext context, string[] names, Func<JobQuery, T> read)
    {
        var query = new JobQuery(context.Request.Query, names);
        var value = read(query);
        return query.invalid.Any ? throw Refusal.Unreadable("The query holds what this call does not take.", query.invalid) : value;
    }

    /// <summary>The filters and the page of a list.</summary>
    public JobFilter Filter() => new()
    {
        State = Value<JobState>("state", text => States.TryGetValue(text, out var state) ? state : null, $"must be one of {string.Join(", ", States.Keys)}"),
        Type = Word("type"),
        Queue = Word("queue"),
        Tag = Word("tag"),
        CreatedAfter = Value<DateTime>("createdAfter", Rfc3339.Parse, Rfc3339.Rule),
        CreatedBefore = Value<DateTime>("createdBefore", Rfc3339.Parse, Rfc3339.Rule),
        After = Value<Guid>("after", text => Guid.TryParseExact(text, "D", out var after) ? after : null, "must be the id of a job"),
        Limit = Limit(),
    };

    /// <summary>How many a page holds at most.</summary>
    public int Limit() => Number("limit", 1, MaxPage) ?? DefaultPage;

    /// <summary>A name that follows the rule of queues; null where there is none.</summary>
    public string? Name(string name)
    {
        var given = Word(name);
        if (given is not null && !QueueName.IsValid(given))
        {
            invalid.Add(name, $"must be {QueueName.Rule}");
        }

        return given;
    }

    /// <summary>The members of a job that are wanted; null for all of them.</summary>
    public string[]? Fields()
    {
        var names = Word("fields")?.Split(',', StringSplitOptions.TrimEntries);
        if (names?.FirstOrDefault(name => !JobMembers.Contains(name)) is { } unknown)
        {
            invalid.Add("fields", $"'{unknown}' is no member of a job; it has {string.Join(", ", JobMembers)}");
        }

        return names;
    }

    /// <summary>Whether to begin without the checkpoint.</summary>
    public bool FromStart() => Value<bool>("from", text => text switch { "start" => true, "checkpoint" => false, _ => null }, "must be checkpoint or start") ?? false;

    public TimeSpan? Duration(string name, TimeSpan most) => Value<TimeSpan>(name, text => Iso8601.Parse(text, TimeSpan.Zero, most), Iso8601.Rule(TimeSpan.Zero, most));

    public bool Flag(string name) => Value<bool>(name, text => bool.TryParse(text, out var flag) ? flag : null, "must be true or false") ?? false;

    public int? Number(string name, int least, int most) =>
        Value<int>(name, text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null, $"must be a whole number from {least} to {most}");

    /// <summary>Notes what is wrong with a value that could be read.</summary>
    public void Wrong(string name, string message) => invalid.Add(name, message);

    private T? Value<T>(string name, Func<string, T?> parse, string rule)
        where T : struct
    {
        if (Word(name) is not { } text)
        {
            return null;
        }

        if (parse(text) is { } value)
        {
            return value;
        }

        invalid.Add(name, rule);
        return null;
    }

    private string? Word(string name)
    {
        if (!query.TryGetValue(name, out var values))
        {
            return null;
        }

        if (values is [{ Length: > 0 } value] && !value.Contains('\0', StringComparison.Ordinal))
        {
            return value;
        }

        invalid.Add(name, "must be given once, and not empty");
        return null;
    }
}
