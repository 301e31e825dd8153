namespace QueueScale.Testing;

/// <summary>What <see cref="JobHarness"/> found wrong with a job, or with the way it was asked. Its message is what a failed test should show.</summary>
public sealed class JobHarnessException : Exception
{
    internal JobHarnessException(string message, Exception? inner = null) : base(message, inner) { }
}
