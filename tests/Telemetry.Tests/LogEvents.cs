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
            .SelectMany(program => Directory.GetFiles(Path.GetDirectoryName(Checkout.ProgramOf(program))!, "QueueScale.*.dll"))
            .DistinctBy(Path.GetFileName)
            .SelectMany(dll => Assembly.LoadFrom(dll).GetTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>()
            .Select(declared => new LogEvent(declared.EventId, declared.Level, declared.Message))
            .OrderBy(declared => declared.Id),
    ];

    public override string ToString() => $"{Id} {Level} {Text}";
}
