using QueueScale.Hosting;

namespace QueueScale.Api;

/// <summary>Writes down now and then which keys were used.</summary>
internal sealed class KeyUseDuty(KeyBook book, Store.Keys keys, TimeProvider clock, ILogger<KeyUseDuty> logger) : DutyLoop(TimeSpan.FromSeconds(30), clock, logger)
{
    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        if (book.TakeUsed() is { Length: > 0 } used)
        {
            await keys.NoteUseAsync(used, cancellation);
        }

        return 0;
    }
}
