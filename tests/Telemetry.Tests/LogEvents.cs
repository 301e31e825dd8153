using System.Reflection;
using Microsoft.Extensions.Logging;

namespace QueueScale.Tests;

/// <summary>A line that a process may log.</summary>
public sealed record LogEvent(int Id, LogLevel Level, string Text)
{
    /// <summary>All of them, as the built programs declare them.</summary>
    public static IReadOnlyList<LogEvent> All { get; } =
    [
        .. new[] { HostProcess.Api, HostProcess.Worker }
            .SelectMany(program => OwnAssembliesOf(Checkout.ProgramOf(program)))
            .Distinct()
            .SelectMany(assembly => assembly.GetTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>()
            .Select(declared => new LogEvent(declared.EventId, declared.Level, declared.Message))
            .OrderBy(declared => declared.Id),
    ];

    private static IEnumerable<Assembly> OwnAssembliesOf(string dll)
    {
        var assembly = Assembly.LoadFrom(dll);
        return assembly.GetReferencedAssemblies()
            .Where(name => name.Name!.StartsWith("QueueScale.", StringComparison.Ordinal))
            .SelectMany(name => OwnAssembliesOf(Path.Combine(Path.GetDirectoryName(dll)!, name.Name + ".dll")))
            .Append(assembly);
    }

    public override string ToString() => $"{Id} {Level} {Text}";
}
