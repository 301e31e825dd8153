using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A request that waits for PostgreSQL in vain is answered in time, whatever state the connection is in.</summary>
internal static class StoreDeadline
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(1800);

    public static async ValueTask<object?> ApplyAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        var context = invocation.HttpContext;
        var callerGone = context.RequestAborted;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(callerGone);
        limit.CancelAfter(Limit);
        context.RequestAborted = limit.Token;
        try
        {
            return await next(invocation).AsTask().WaitAsync(limit.Token); // a frozen server holds up Npgsql's own cancelling, too
        }
        catch (Exception error) when (limit.IsCancellationRequested && !callerGone.IsCancellationRequested)
        {
            throw new StoreUnavailable("PostgreSQL did not answer in time.", error);
        }
        finally
        {
            context.RequestAborted = callerGone;
        }
    }
}
