using System.ComponentModel.DataAnnotations;

namespace QueueScale.Jobs;

/// <summary>What jobs may fetch from other machines by https. Section "Jobs:Outbound".</summary>
public sealed class OutboundOptions
{
    /// <summary>Hosts, as HOST or HOST:PORT, that may be asked although their address is not public or their port is not 443. Default: none.</summary>
    /// <remarks>Whoever may submit jobs can then have the worker ask them. Their certificate is checked all the same.</remarks>
    [Hosts]
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>The largest file that is fetched, in bytes. Default 10 GB.</summary>
    [Range(typeof(long), "1", "1000000000000000")]
    public long MaxBytes { get; set; } = 10_000_000_000;

    /// <summary>Requests at once to one host, from one worker process. Default 4.</summary>
    /// <remarks>A job that waits 5 seconds for its turn gives its slot back and runs again later, without using up an attempt.</remarks>
    [Range(1, 1024)]
    public int MaxPerHost { get; set; } = 4;

    /// <summary>How long a host may take to the end of its answer's headers, connecting included. Default 30 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan AnswerWithin { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a host may send nothing in the middle of a file. Default 30 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan MaxSilence { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Each entry is a host, with or without a port.</summary>
internal sealed class HostsAttribute() : ValidationAttribute("Each entry is a host such as files.internal, or a host and its port such as files.internal:8443.")
{
    public override bool IsValid(object? value) => value is IEnumerable<string> entries && entries.All(entry => OutboundUrl.HostOf(entry) is not null);
}
