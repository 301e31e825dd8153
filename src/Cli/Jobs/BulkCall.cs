using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>Lets a command that takes one job take all that fit a filter as well.</summary>
internal sealed class BulkCall
{
    private readonly Argument<string?> _id = new("ID") { Description = "The job. Leave it out, and all jobs that fit the options are meant.", Arity = ArgumentArity.ZeroOrOne };
    private readonly FilterOptions _filter = new();
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Only tell how many jobs fit; nothing is done." };
    private readonly Option<int?> _rate = new("--rate") { Description = "Jobs a second at most. Default: as fast as it goes.", HelpName = "N" };

    public void AddTo(Command command)
    {
        command.Arguments.Add(_id);
        _filter.AddTo(command);
        command.Options.Add(_dryRun);
        command.Options.Add(_rate);
    }

    /// <summary>The one job that is meant, or what all of them fit; the other is null.</summary>
    public (Guid? Id, JobFilter? Filter) Read(ParseResult parsed)
    {
        var filter = _filter.Read(parsed);
        if (parsed.GetValue(_id) is not { } given)
        {
            return filter is not null ? (null, filter) : throw new UsageProblem($"Which jobs? Give the ID of one, or say which fit, such as --queue mail. See: ./queuescale {parsed.CommandResult.Command.Name} --help");
        }

        if (filter is not null || parsed.GetValue(_dryRun) || parsed.GetValue(_rate) is not null)
        {
            throw new UsageProblem("An ID names one job; --state, --type, --queue, --tag, --created-after, --created-before, --dry-run and --rate are for many. Give the one or the others.");
        }

        return Guid.TryParse(given, out var id) ? (id, null) : throw new UsageProblem($"'{given}' is no ID of a job; ./queuescale jobs lists them.");
    }

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
