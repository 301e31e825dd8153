using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>Lets a command that takes one job take all that fit a filter as well.</summary>
internal sealed class BulkCall
{
    private readonly FilterOptions _filter = new();
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Only tell how many jobs fit; nothing is done." };
    private readonly Option<int?> _rate = new("--rate") { Description = "Jobs a second at most. Default: as fast as it goes.", HelpName = "N" };

    /// <summary>The one job; absent where a filter says which.</summary>
    public Argument<Guid?> Id { get; } = new("ID") { Description = "The job. Leave it out, and all jobs that fit the options are meant.", Arity = ArgumentArity.ZeroOrOne };

    public void AddTo(Command command)
    {
        command.Arguments.Add(Id);
        _filter.AddTo(command);
        command.Options.Add(_dryRun);
        command.Options.Add(_rate);
    }

    /// <summary>The filter; null where one job is meant.</summary>
    public JobFilter? Read(ParseResult parsed) => (parsed.GetValue(Id), _filter.Read(parsed)) switch
    {
        (null, null) => throw new UsageProblem($"Which jobs? Give the ID of one, or say which fit, such as --queue mail. See: ./queuescale {parsed.CommandResult.Command.Name} --help"),
        (null, { } filter) => filter,
        (_, not null) => throw new UsageProblem("An ID names one job; --state, --type, --queue, --tag, --created-after and --created-before are for many. Give the one or the others."),
        _ when parsed.GetValue(_dryRun) || parsed.GetValue(_rate) is not null => throw new UsageProblem("--dry-run and --rate are for many jobs; an ID names one."),
        _ => null,
    };

    /// <summary>Counts the jobs that fit, or begins and tells where to look on.</summary>
    public async Task<int> RunAsync(ParseResult parsed, bool json, string verb, Func<Task<long>> count, Func<int?, Task<BulkRequest>> begin)
    {
        if (parsed.GetValue(_dryRun))
        {
            var matched = await count();
            if (json) Print.Json(new BulkCount(matched));
            else Console.Out.WriteLine($"{Print.Number(matched)} jobs would be {verb}. Without --dry-run they are.");
            return 0;
        }

        var request = await begin(parsed.GetValue(_rate));
        if (json) Print.Json(request);
        else Console.Out.WriteLine($"{Print.Number(request.Matched)} jobs are being {verb}, in the background. How far it is: GET {request.Links.Self}");
        return 0;
    }
}
