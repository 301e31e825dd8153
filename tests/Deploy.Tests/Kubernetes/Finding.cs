namespace QueueScale.Tests;

/// <summary>What is wrong with a manifest.</summary>
/// <param name="Where">KIND/NAME of the object.</param>
/// <param name="Path">The field.</param>
/// <param name="Message">What is wrong with it.</param>
internal sealed record Finding(string Where, string Path, string Message)
{
    public override string ToString() => Path.Length == 0 ? $"{Where}: {Message}" : $"{Where}: {Path}: {Message}";
}
