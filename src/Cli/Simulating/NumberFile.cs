using System.Globalization;
using QueueScale.Local;

namespace QueueScale.Cli.Simulating;

/// <summary>A CSV file of numbers, read by the names of its columns.</summary>
internal static class NumberFile
{
    /// <summary>Seconds and jobs beyond this are slips of the pen, such as a Unix time in milliseconds.</summary>
    private const double Largest = 100_000_000;

    /// <summary>Reads it whole.</summary>
    /// <param name="file">Its first line names its columns, in any order.</param>
    /// <param name="needed">The columns that it must have, with a number in each row.</param>
    /// <param name="optional">The columns that it may have.</param>
    /// <returns>The rows with their lines; the values in the order of the columns asked for, null where there is none.</returns>
    /// <exception cref="LocalProblem">It cannot be read; the message names file, line and column.</exception>
    public static IEnumerable<(int Line, double?[] Values)> Read(string file, string[] needed, string[] optional)
    {
        var lines = Lines(file);
        string[] columns = [.. needed, .. optional];
        var header = Cells(lines.FirstOrDefault() ?? "");
        if (Array.Find(header, name => !columns.Contains(name, StringComparer.OrdinalIgnoreCase)) is { } other)
        {
            throw new LocalProblem($"{file}, line 1: '{other}' is none of the columns {string.Join(", ", columns)}. The first line names the columns, with commas between them.");
        }

        int[] places = [.. columns.Select(column => Array.FindIndex(header, name => name.Equals(column, StringComparison.OrdinalIgnoreCase)))];
        if (needed.Where((_, column) => places[column] < 0).FirstOrDefault() is { } missing)
        {
            throw new LocalProblem($"{file}, line 1: there is no column {missing}. Add it; the columns are {string.Join(", ", columns)}.");
        }

        for (var line = 2; line <= lines.Length; line++)
        {
            if (string.IsNullOrWhiteSpace(lines[line - 1])) continue;
            var cells = Cells(lines[line - 1]);
            if (cells.Length > header.Length) throw new LocalProblem($"{file}, line {line}: {cells.Length} values for {header.Length} columns. Write decimals with a point.");
            yield return (line, [.. columns.Select((column, index) => places[index] >= 0 && places[index] < cells.Length && cells[places[index]] is { Length: > 0 } text
                ? Value(file, line, column, text)
                : index < needed.Length ? throw Wrong(file, line, column, "there is no value. Write a number") : (double?)null)]);
        }
    }

    private static double Value(string file, int line, string column, string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= Largest
            ? value
            : throw Wrong(file, line, column, $"'{text}' is no number from 0 to {Largest:0}. Write one such as 12.5");

    /// <summary>What is wrong with one value.</summary>
    public static LocalProblem Wrong(string file, int line, string column, string what) => new($"{file}, line {line}, column {column}: {what}.");

    private static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LocalProblem($"{file} cannot be read: {error.Message}", error);
        }
    }

    private static string[] Cells(string line) => [.. line.Split(',').Select(cell => cell.Trim().Trim('"'))];
}
