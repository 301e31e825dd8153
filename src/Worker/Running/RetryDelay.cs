namespace QueueScale.Worker;

/// <summary>How long a job waits for its next attempt.</summary>
internal static class RetryDelay
{
    /// <summary>Delay before the next attempt, with full jitter.</summary>
    /// <param name="failedAttempts">Attempts that have failed; 1 or more.</param>
    /// <param name="baseDelay">The upper end of the first delay.</param>
    /// <param name="maxDelay">The upper end of all.</param>
    /// <param name="chance">0 to 1.</param>
    /// <returns>Between zero and <paramref name="maxDelay"/>.</returns>
    /// <remarks>Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.</remarks>
    public static TimeSpan Next(int failedAttempts, TimeSpan baseDelay, TimeSpan maxDelay, double chance)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(failedAttempts, 1);
        return chance * TimeSpan.FromSeconds(Math.Min(maxDelay.TotalSeconds, baseDelay.TotalSeconds * Math.Pow(2, Math.Min(failedAttempts - 1, 40))));
    }
}
