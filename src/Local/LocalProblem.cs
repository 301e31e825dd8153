namespace QueueScale.Local;

/// <summary>Something that a person must put right. The message says what and how; it is shown without a stack trace.</summary>
public class LocalProblem(string message, Exception? inner = null) : Exception(message, inner);
