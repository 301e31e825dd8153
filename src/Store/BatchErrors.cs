using System.Net.Sockets;
using Npgsql;

namespace QueueScale.Store;

/// <summary>What a database error means for the statement that met it, judged by SQLSTATE.</summary>
public static class BatchErrors
{
    /// <summary>The data itself is refused (class 22 or 23): repeating the same statement cannot help.</summary>
    public static bool IsBadData(Exception error) => error is PostgresException { SqlState: [ '2', '2' or '3', .. ] };

    /// <summary>Two transactions were in each other's way; nothing was done.</summary>
    public static bool IsConflict(Exception error) => error is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure };

    /// <summary>The connection broke, or PostgreSQL is down, starting or out of resources: nobody's statement is to blame.</summary>
    public static bool IsAway(Exception error) => error switch
    {
        PostgresException e => e.SqlState is ['0', '8', ..] or ['5', '3', ..] or ['5', '7', 'P', ..] or PostgresErrorCodes.ReadOnlySqlTransaction
            or "25P03" /* idle_in_transaction_session_timeout */ or ['5', '8', ..],
        NpgsqlException or TimeoutException or IOException or SocketException => true,
        _ => false,
    };

    /// <summary>PostgreSQL is away or a lock is held for long. Whether the statement was done is unknown; every statement here can be repeated.</summary>
    public static bool IsPassing(Exception error) => IsAway(error)
        || error is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure };
}

/// <summary>PostgreSQL does not answer in time, or the outcome of a statement is unknown. The caller answers 503, never success.</summary>
public sealed class StoreUnavailable(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>More waits to be written than may wait. Nothing was stored.</summary>
public sealed class StoreOverloaded(string message) : Exception(message);

/// <summary>PostgreSQL refuses this one item's data. Nothing of it was stored.</summary>
public sealed class DataRefused(PostgresException error) : Exception(error.MessageText, error);

/// <summary>An idempotency key comes again with another submission. Nothing of it was stored.</summary>
public sealed class IdempotencyKeyReused(string key) : Exception($"The key '{key}' was used for something else.");
