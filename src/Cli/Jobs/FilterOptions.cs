using System.CommandLine;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>Which jobs a command is about.</summary>
internal sealed class FilterOptions
{
    private readonly Option<JobState?> _state = new("--state") { Description = "Only jobs in this state.", HelpName = "STATE" };
    private readonly Option<string?> _type = new("--type") { Description = "Only jobs of this type.", HelpName = "TYPE" };
    private readonly Option<string?> _queue = new("--queue") { Description = "Only jobs of this queue.", HelpName = "NAME" };
    private readonly Option<string?> _tag = new("--tag") { Description = "Only jobs with this tag.", HelpName = "TAG" };
    private readonly Option<DateTimeOffset?> _after = new("--created-after") { Description = "Only jobs accepted after this time, such as 2026-11-20T00:00:00Z.", HelpName = "TIME" };
    private readonly Option<DateTimeOffset?> _before = new("--created-before") { Description = "Only jobs accepted before this time.", HelpName = "TIME" };

    public void AddTo(Command command)
    {
        Option[] all = [_state, _type, _queue, _tag, _after, _before];
        foreach (var option in all) command.Options.Add(option);
    }

    /// <summary>What narrows; null where nothing does.</summary>
    public JobFilter? Read(ParseResult parsed)
    {
        var filter = new JobFilter
        {
            State = parsed.GetValue(_state),
            Type = parsed.GetValue(_type),
            Queue = parsed.GetValue(_queue),
            Tag = parsed.GetValue(_tag),
            CreatedAfter = parsed.GetValue(_after),
            CreatedBefore = parsed.GetValue(_before),
        };
        return filter == new JobFilter() ? null : filter;
    }
}
