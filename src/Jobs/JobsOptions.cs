namespace QueueScale.Jobs;

/// <summary>What the built-in job types need to know of their machine. Section "Jobs".</summary>
public sealed class JobsOptions
{
    /// <summary>The folder below which <c>file:</c> sources are found, the same on every worker that serves them. <c>{tenant}</c> in it stands for the
    /// tenant whose job it is, such as <c>/data/{tenant}</c>; without it the folder is the tenant <c>default</c>'s alone. Empty: no such source can be read.
    /// Default empty.</summary>
    public string DataRoot { get; set; } = "";

    /// <summary>Whether the <c>probe.*</c> job types are registered: jobs to try a deployment with, one of which kills its worker. Default false.</summary>
    public bool Probes { get; set; }

    /// <summary>What jobs may fetch from other machines.</summary>
    public OutboundOptions Outbound { get; } = new();
}
