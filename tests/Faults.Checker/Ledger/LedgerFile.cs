namespace QueueScale.Faults.Checker;

/// <summary>Reading a ledger that processes wrote until they were killed.</summary>
public static class LedgerFile
{
    /// <summary>Adds the lines of a file to <paramref name="lines"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="lines">Takes what can be read.</param>
    /// <param name="damaged">Takes what cannot be read, except for a last line without its end: its writer died in the middle of it.</param>
    public static void Read(string path, List<LedgerLine> lines, List<string> damaged)
    {
        using var reader = new StreamReader(path);
        var torn = !EndsWithLineEnd(reader.BaseStream);
        for (var number = 1; reader.ReadLine() is { } text; number++)
        {
            if (torn && reader.EndOfStream)
            {
                return; // even if it can be read, its last number may lack digits
            }

            if (LedgerLine.TryParse(text, out var line))
            {
                lines.Add(line);
            }
            else
            {
                damaged.Add($"{Path.GetFileName(path)}:{number}: {text}");
            }
        }
    }

    private static bool EndsWithLineEnd(Stream file)
    {
        if (file.Length == 0)
        {
            return true;
        }

        file.Seek(-1, SeekOrigin.End);
        var last = file.ReadByte();
        file.Seek(0, SeekOrigin.Begin);
        return last == '\n';
    }
}
