using System.Text.Json;
using QueueScale.Bench;
using QueueScale.Local;
using Spectre.Console;

// Measures what docs/benchmarks.md says, on private servers of its own: ./queuescale bench [--only NAME,…] [--json]
var only = Option("--only")?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
var json = args.Contains("--json");
var known = Measures.All.Select(m => m.Name).ToArray();
if (only?.Except(known).FirstOrDefault() is { } unknown)
{
    Console.Error.WriteLine($"bench: there is no measurement '{unknown}'. Choose from {string.Join(", ", known)}.");
    return 2;
}

await using var ground = await Ground.StartAsync((what, text) => { if (!json) { AnsiConsole.WriteLine($"{what} {text}"); } });
var figures = new List<Figure>();
foreach (var measure in Measures.All.Where(m => only is null || only.Contains(m.Name)))
{
    if (!json)
    {
        AnsiConsole.MarkupLineInterpolated($"[grey]{measure.Name}: {measure.What}[/]");
    }

    figures.AddRange(await measure.RunAsync(ground));
}

if (json)
{
    Console.WriteLine(JsonSerializer.Serialize(figures, JsonSerializerOptions.Web));
}
else
{
    AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 140);
    var table = new Table().Border(TableBorder.Rounded).AddColumns("measured", "figure", "wanted", "");
    foreach (var figure in figures)
    {
        table.AddRow(Markup.Escape(figure.Name), Markup.Escape(figure.Value), Markup.Escape(figure.Wanted), figure.Met is null ? "" : figure.Met.Value ? "[green]met[/]" : "[red]missed[/]");
    }

    AnsiConsole.Write(table);
}

return 0;

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

/// <summary>One line of the result.</summary>
internal sealed record Figure(string Name, string Value, string Wanted = "", bool? Met = null);
