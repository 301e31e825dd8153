using System.Text.Json.Serialization;

namespace QueueScale.Jobs;

/// <summary>The checkpoint of an import: everything up to <see cref="Offset"/> is committed.</summary>
/// <param name="File">The file as it was when the import began.</param>
/// <param name="Offset">The byte where the next row begins.</param>
/// <param name="Line">The line where it begins, 1 for the first.</param>
/// <param name="Rows">Rows imported.</param>
/// <param name="Rejected">Rows left out.</param>
/// <param name="Samples">The first of those.</param>
/// <param name="Checksum">Of the imported rows.</param>
/// <param name="Total">Rows in the file, once they are counted.</param>
/// <param name="Columns">The columns, of a file whose beginning is not read again.</param>
internal sealed record ImportPosition(
    FileIdentity File, long Offset, long Line, long Rows, long Rejected, IReadOnlyList<RejectedRow> Samples, string Checksum, long? Total,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ImportColumn>? Columns = null)
{
    /// <summary>Rows behind it, imported or not.</summary>
    public long Done => Rows + Rejected;
}
