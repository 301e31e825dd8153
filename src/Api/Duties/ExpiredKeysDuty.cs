using Microsoft.Extensions.Options;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Forgets idempotency keys that have lived long enough.</summary>
internal sealed class ExpiredKeysDuty(ExpiredKeys expired, IOptions<ApiOptions> options, TimeProvider clock, ILogger<ExpiredKeysDuty> logger) : DutyLoop(TimeSpan.FromMinutes(1), clock, logger)
{
    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        for (var total = 0; ;)
        {
            var forgotten = await expired.ForgetAsync(options.Value.IdempotencyKeyLifetime, cancellation);
            total += forgotten;
            if (forgotten < ExpiredKeys.PageSize)
            {
                return total;
            }
        }
    }
}
