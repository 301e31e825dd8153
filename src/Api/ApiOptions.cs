using System.ComponentModel.DataAnnotations;

namespace QueueScale.Api;

/// <summary>What the API accepts, and how it ends. Section "Api".</summary>
public sealed class ApiOptions
{
    /// <summary>The longest input of one job, in bytes of JSON. Default 262144.</summary>
    [Range(1024, 16 * 1024 * 1024)]
    public int MaxInputBytes { get; set; } = 256 * 1024;

    /// <summary>The longest body of a batch, in bytes. Default 16 MiB.</summary>
    [Range(1024, 256 * 1024 * 1024)]
    public int MaxBatchBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Jobs that may be ready or running in one queue; further submissions to it are refused with 429 until it is shorter. Default: no limit.</summary>
    /// <remarks>Looked at once a second: a burst may go over it by what is submitted in that time.</remarks>
    [Range(1, int.MaxValue)]
    public int? MaxBacklog { get; set; }

    /// <summary>Requests that one key may make in a minute: at all APIs together, at each of them while Redis does not answer. Default: no limit.</summary>
    [Range(1, int.MaxValue)]
    public int? RequestsPerMinute { get; set; }

    /// <summary>After this long a request is answered with 503, whatever it waits for: its own body or a server. What is written has deadlines of its own: 1.8 seconds, for a batch of more than 64 jobs 1.8 until its turn comes and then 18. Waiting for a job, event streams and requests in bulk are not meant. Default 10 seconds.</summary>
    /// <remarks>Below what the proxy in front allows (nginx: 60 seconds).</remarks>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>For so long at least a submission with the same <c>Idempotency-Key</c> makes no job a second time. Default 1 day.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan IdempotencyKeyLifetime { get; set; } = TimeSpan.FromDays(1);

    /// <summary>A queue should be empty this long after now: what <c>desiredWorkers</c> aims at. Default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan TargetDrainTime { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>After SIGTERM the API fails readiness and goes on serving for this long, so that proxies notice. Default 5 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:20")]
    public TimeSpan DrainDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Addresses or networks (<c>10.0.0.0/8</c>) of the proxies in front of the API. Their <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c> are believed, and
    /// nobody else's. Default: none.</summary>
    [Networks]
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>Jobs that may be on their way to workers in one lane; further ones wait in PostgreSQL. Default 20000.</summary>
    /// <remarks>A broker that holds millions of messages is slow.</remarks>
    [Range(1000, 1_000_000)]
    public int LaneWindow { get; set; } = 20_000;
}

/// <summary>Who may call. Section "Auth".</summary>
public sealed class AuthOptions
{
    /// <summary>A key of the first tenant that allows everything: <c>qs_</c> and at least 20 further characters. Default: none; a system without any key makes one at its first start.</summary>
    [DataType(DataType.Password)]
    [RegularExpression("qs_[A-Za-z0-9_-]{20,200}", ErrorMessage = "A key is 'qs_' and 20 to 200 of letters, digits, '-' and '_'.")]
    public string? BootstrapKey { get; set; }
}
