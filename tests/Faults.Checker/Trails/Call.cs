namespace QueueScale.Faults.Checker;

/// <summary>A client's call from its beginning to its end, if one is known.</summary>
internal sealed class Call(ClientEvent begin)
{
    public ClientEvent Begin => begin;

    public ClientEvent? End { get; set; }

    public Operation Operation => begin.Operation;

    public Phase Outcome => End?.Phase ?? Phase.Info;

    public Guid? Job => End?.Job ?? begin.Job;

    public string? Token => begin.Token;

    public int? Steps => begin.Steps;

    public IEnumerable<ClientEvent> Events => End is null ? [begin] : [begin, End];
}
