namespace QueueScale.Jobs;

/// <summary>What an import did.</summary>
/// <param name="Rows">Rows imported.</param>
/// <param name="Rejected">Rows left out because they do not fit.</param>
/// <param name="Samples">The first ten of those.</param>
/// <param name="Checksum">Of the imported rows, whatever their order: the sum, over all rows, of the first 60 bits of the MD5 of the row's fields joined by
/// the character 31, in decimal. It finds lost, doubled and damaged rows; it is no protection against forgery.</param>
/// <remarks>
/// In the checksum an absent (NULL) field counts as an empty one, and fields are taken as they stand in the file, without their quotes. So for a table whose
/// columns are all text and which holds the rows of this import only, the same number is
/// <code>
/// select coalesce(sum(('x' || left(md5(coalesce(a, '') || chr(31) || coalesce(b, '') || chr(31) || coalesce(c, '')), 15))::bit(60)::bigint), 0)
/// from imports.t;
/// </code>
/// with all columns in the file's order in place of a, b and c.
/// </remarks>
public sealed record CsvImportResult(long Rows, long Rejected, IReadOnlyList<RejectedRow> Samples, string Checksum);

/// <summary>A row that does not fit.</summary>
/// <param name="Line">The line of the file where it begins, 1 for the first.</param>
/// <param name="Reason">What is wrong with it.</param>
/// <param name="Text">Its beginning.</param>
public sealed record RejectedRow(long Line, string Reason, string Text);
