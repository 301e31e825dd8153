using QueueScale.Cli.Terminal;
using QueueScale.Client;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace QueueScale.Cli.Top;

/// <summary>The live view: asks once a second and draws what it heard, or since when it hears nothing.</summary>
internal static class TopScreen
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Lines that are no rows: the line at the top, and title, heading and distance of each table.</summary>
    private const int FixedLines = 11;

    private static readonly Style Dim = new(Color.Grey);

    /// <summary>Draws until Ctrl-C or q.</summary>
    /// <param name="reader">Asks the API.</param>
    /// <param name="first">What is shown at once.</param>
    /// <param name="interrupt">Ctrl-C.</param>
    public static async Task ShowAsync(TopReader reader, TopSnapshot first, CancellationToken interrupt)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        new Thread(() => EndAtQ(ending)) { IsBackground = true }.Start();
        var stop = ending.Token;
        var (last, problem, goOn) = (first, (string?)null, true);
        while (goOn)
        {
            var size = Size();
            await AnsiConsole.Live(Draw(last, problem)).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom).StartAsync(async live =>
            {
                while ((goOn = await WaitAsync(stop)) && Size() == size)
                {
                    (last, problem) = await ReadAsync(reader, last, stop);
                    live.UpdateTarget(Draw(last, problem));
                }
            });
            if (goOn)
            {
                AnsiConsole.Clear(); // what was drawn does not fit the terminal any more
            }
        }
    }

    /// <returns>What there is to show, and why it is old where it is.</returns>
    private static async Task<(TopSnapshot Last, string? Problem)> ReadAsync(TopReader reader, TopSnapshot last, CancellationToken stop)
    {
        try
        {
            return (await reader.ReadAsync(stop), null);
        }
        catch (Exception error) when (error is HttpRequestException or QueueScaleException { Status: 429 or >= 500 })
        {
            return (last, error.Message);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return (last, null);
        }
    }

    private static (int Width, int Height) Size() => (AnsiConsole.Profile.Width, AnsiConsole.Profile.Height);

    /// <returns>False when it is time to go.</returns>
    private static async Task<bool> WaitAsync(CancellationToken stop)
    {
        await Task.Delay(Interval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !stop.IsCancellationRequested;
    }

    /// <summary>Waits for the key. A thread that stays in its read: between two looks at the keys the terminal would be told to collect whole lines again.</summary>
    private static void EndAtQ(CancellationTokenSource ending)
    {
        if (Console.IsInputRedirected)
        {
            return;
        }

        ConsoleKeyInfo key;
        do
        {
            key = Console.ReadKey(intercept: true);
        }
        while (key.KeyChar is not ('q' or 'Q') && key != default); // a terminal that is gone has such keys without end

        ending.Cancel();
    }

    private static Rows Draw(TopSnapshot now, string? problem)
    {
        var tables = TopTable.Of(now);
        var left = Math.Max(2 * tables.Count, AnsiConsole.Profile.Height - FixedLines);
        var room = new Dictionary<TopTable, int>();
        foreach (var table in tables.OrderBy(table => table.Rows.Count))
        {
            room[table] = Math.Min(Math.Max(1, table.Rows.Count), left / (tables.Count - room.Count)); // what a short one leaves, a longer one has
            left -= room[table];
        }

        return new Rows([Head(now, problem), .. tables.Select(table => Draw(table, room[table]))]);
    }

    private static Markup Head(TopSnapshot now, string? problem) => problem is null
        ? Markup.FromInterpolated($"[bold]QueueScale[/] {now.At.ToLocalTime():HH:mm:ss}  [grey]q or Ctrl-C ends it[/]")
        : Markup.FromInterpolated($"[bold]QueueScale[/] [red]no answer since {now.At.ToLocalTime():HH:mm:ss}[/] ({Print.Short(DateTime.UtcNow - now.At)}): {problem.ReplaceLineEndings(" ")}");

    private static Rows Draw(TopTable table, int room)
    {
        var title = new Text($"\n{table.Title}", new Style(decoration: Decoration.Bold));
        if (table.Rows.Count == 0)
        {
            return new Rows(title, new Text(table.Empty, Dim));
        }

        var shown = table.Rows.Take(table.Rows.Count <= room ? room : room - 1).ToArray();
        var widest = Math.Max(8, AnsiConsole.Profile.Width / 4);
        int[] widths = [.. table.Heading.Select((name, column) => Math.Min(column == table.Heading.Length - 1 ? int.MaxValue : widest, shown.Select(row => row[column].Length).Append(name.Length).Max()))];
        var lines = shown.Select(row => Line(row, widths, StyleOf)).Prepend(Line(table.Heading, widths, _ => Dim));
        return new Rows([title, .. lines, .. shown.Length < table.Rows.Count ? [new Text($"… and {table.Rows.Count - shown.Length} more", Dim)] : (Text[])[]]);
    }

    /// <summary>One row on one line of the terminal, whatever of it fits.</summary>
    private static Paragraph Line(string[] cells, int[] widths, Func<string, Style> style)
    {
        var line = new Paragraph();
        var left = AnsiConsole.Profile.Width - 1;
        foreach (var (cell, width) in cells.Zip(widths))
        {
            var text = (cell.Length <= width ? cell.PadRight(width) : $"{cell[..(width - 1)]}…") + "  ";
            line.Append(text[..Math.Min(left, text.Length)], style(cell));
            left -= Math.Min(left, text.Length);
        }

        return line;
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "backlogged" or "unserved" => new Style(Color.Red),
        "draining" or "paused" or "full" or "crashed" or "lost" => new Style(Color.Yellow),
        "working" => new Style(Color.Green),
        "idle" => Dim,
        _ => Style.Plain,
    };
}
