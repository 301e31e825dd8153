using System.Globalization;
using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Client;

/// <summary>Which jobs to list. What is null does not restrict.</summary>
public sealed record JobFilter
{
    /// <summary>Jobs in this state.</summary>
    public JobState? State { get; init; }

    /// <summary>Jobs of this type.</summary>
    public string? Type { get; init; }

    /// <summary>Jobs of this queue.</summary>
    public string? Queue { get; init; }

    /// <summary>Jobs that carry this tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Jobs accepted after this time.</summary>
    public DateTimeOffset? CreatedAfter { get; init; }

    /// <summary>Jobs accepted before this time.</summary>
    public DateTimeOffset? CreatedBefore { get; init; }

    /// <summary>Jobs on one page; the API's own number where null.</summary>
    public int? Limit { get; init; }

    internal string ToQuery(params ReadOnlySpan<(string Name, string? Value)> further)
    {
        var parts = new List<string>();
        Add("state", State is { } state ? JsonNamingPolicy.CamelCase.ConvertName(state.ToString()) : null);
        Add("type", Type);
        Add("queue", Queue);
        Add("tag", Tag);
        Add("createdAfter", CreatedAfter?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
        Add("createdBefore", CreatedBefore?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
        Add("limit", Limit?.ToString(CultureInfo.InvariantCulture));
        foreach (var (name, value) in further) Add(name, value);
        return parts.Count == 0 ? "" : "?" + string.Join('&', parts);

        void Add(string name, string? value)
        {
            if (value is not null) parts.Add($"{name}={Uri.EscapeDataString(value)}");
        }
    }
}
