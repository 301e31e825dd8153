using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A request that waits for PostgreSQL in vain is answered in time, whatever state the connection is in.</summary>
internal static class StoreDeadline
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(1800);

    /// <summary>For a whole request.</summary>
    public static async ValueTask<object?> ApplyAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        var callerGone = context.RequestAborted;
        Task<object?>? handling = null;
        try
        {
            return await WithinAsync(
                limit =>
                {
                    context.RequestAborted = limit;
                    return handling = next(invocation).AsTask();
                }, callerGone);
        }
        finally
        {
            context.RequestAborted = callerGone;
            if (handling is { IsCompleted: false })
            {
                context.Response.Headers.Connection = "close"; // what is given up goes on for a moment, with a context that the connection's next request would share
            }
        }
    }

    /// <summary>For one read of a request that waits for something else as well.</summary>
    public static async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken callerGone)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(callerGone);
        limit.CancelAfter(Limit);
        try
        {
            return await read(limit.Token).WaitAsync(limit.Token); // a frozen server holds up Npgsql's own cancelling, too
        }
        catch (Exception error) when (limit.IsCancellationRequested && !callerGone.IsCancellationRequested)
        {
            throw new StoreUnavailable("PostgreSQL did not answer in time.", error);
        }
    }
}
