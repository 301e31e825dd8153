using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>What an input's schema says, and what it cannot say. Names end up in SQL, so this is checked here whatever was checked before.</summary>
internal static class InputRules
{
    public static void Check(CsvImportInput input)
    {
        Must(ColumnNames.IsSafe(input.Table), $"table: '{Excerpt.Of(input.Table)}' cannot be a name. Give {ColumnNames.Rule}.");
        Must(input.Delimiter is [> '\0' and <= '\u007f' and not ('"' or '\r' or '\n')],
            $"delimiter: '{Excerpt.Of(input.Delimiter)}' is none. Give one ASCII character that is neither a quote nor a line break.");
        Must(input.MaxRejected >= 0, "maxRejected: it is negative. Give 0 or more.");
        Must(Enum.IsDefined(input.Mode), "mode: give append or replace.");
        if (input.Columns is { } columns) Check(columns);
    }

    private static void Check(IReadOnlyList<ImportColumn> columns)
    {
        Must(columns.Count > 0, "columns: there are none. Name each column of the file, or leave columns out.");
        foreach (var (name, type) in columns)
        {
            Must(ColumnNames.IsSafeColumn(name),
                $"columns: '{Excerpt.Of(name)}' cannot be a name. Give {ColumnNames.Rule}, and none of PostgreSQL's own column names.");
            Must(ColumnType.Named(type) is not null,
                $"columns: '{Excerpt.Of(type)}' is no type for {name}. Give one of {string.Join(", ", ColumnType.All.Select(known => known.Name))}.");
        }

        var twice = columns.GroupBy(column => column.Name).FirstOrDefault(same => same.Count() > 1);
        Must(twice is null, $"columns: {twice?.Key} is named twice. Give each name once.");
    }

    private static void Must(bool holds, string message)
    {
        if (!holds) throw new JobFailed(message, "input_invalid");
    }
}
