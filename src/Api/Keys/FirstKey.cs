using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A system that was given no key makes one when it starts for the first time.</summary>
internal sealed class FirstKey(Store.Keys keys, IOptions<AuthOptions> options)
{
    /// <summary>Makes it where it is needed, and shows it this once on the standard output.</summary>
    public async Task MakeAsync(CancellationToken cancellation)
    {
        if (options.Value.BootstrapKey is not null)
        {
            return;
        }

        var key = KeyText.New();
        if (await keys.CreateFirstAsync(new NewKey(key.Id, key.Hash, "first", TenantName.First, Enum.GetValues<KeyScope>(), null), cancellation))
        {
            Console.Out.WriteLine($"queuescale-api: the first key, shown this once: {key.Text}");
        }
    }
}
