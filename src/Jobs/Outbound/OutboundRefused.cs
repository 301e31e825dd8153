namespace QueueScale.Jobs;

/// <summary>What was to be fetched must not be, or never can be: trying again changes nothing.</summary>
/// <param name="message">What is wrong and what to do.</param>
/// <param name="code">A stable code for programs.</param>
internal sealed class OutboundRefused(string message, string code) : Exception(message)
{
    public string Code => code;
}

/// <summary>A host could not be reached, or broke off: it may be there again later.</summary>
internal sealed class OutboundFailed(string message, Exception? inner = null) : IOException(message, inner);
