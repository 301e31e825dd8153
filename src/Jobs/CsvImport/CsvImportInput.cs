using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace QueueScale.Jobs;

/// <summary>What to import, and where to.</summary>
public sealed record CsvImportInput
{
    [Description("file:NAME, a file below the workers' Jobs:DataRoot, or https://HOST/PATH, a file that they fetch. UTF-8, with or without a byte order mark.")]
    [RegularExpression(@"^(?:file:(?!/)(?!(?:.*/)?\.\.(?:/|$)).+|https://[^/?#@\\\s]+(?:[/?][^#\\\s]*)?)$")]
    public required string Source { get; init; }

    [Description("The table, in the schema imports for tenant default and imports_TENANT for others. It is created when it is missing.")]
    [RegularExpression(ColumnNames.Pattern)]
    public required string Table { get; init; }

    [Description("The columns in the file's order: names, or {name, type}; text where no type is given. "
        + "Without it the header names them; without a header they are c1, c2 and so on.")]
    [MinLength(1)]
    public IReadOnlyList<ImportColumn>? Columns { get; init; }

    [Description("Whether the first row names the columns. It is not imported.")]
    public bool HasHeader { get; init; } = true;

    [Description("The character between two fields: ASCII, not a quote and not a line break.")]
    [RegularExpression(@"^[\u0001-\u0009\u000b\u000c\u000e-!#-\u007f]$")]
    public string Delimiter { get; init; } = ",";

    [Description("append adds to the table's rows; replace removes them first, in the transaction of the first rows.")]
    public ImportMode Mode { get; init; } = ImportMode.Append;

    [Description("How many rows that do not fit are left out before the job fails.")]
    [Range(0, int.MaxValue)]
    public int MaxRejected { get; init; }
}

/// <summary>What becomes of the rows that the table has.</summary>
public enum ImportMode
{
    /// <summary>They stay.</summary>
    Append,

    /// <summary>They are removed in the transaction that brings the first new ones.</summary>
    Replace,
}
