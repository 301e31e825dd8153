namespace QueueScale.Local;

/// <summary>A file that only its owner may read, from the first byte on.</summary>
internal static class SecretFile
{
    public static void Write(string path, string content)
    {
        File.Delete(path); // an old one would keep its mode
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        using var writer = new StreamWriter(file);
        writer.Write(content);
    }
}
