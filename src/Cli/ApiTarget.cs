using System.CommandLine;
using QueueScale.Client;
using QueueScale.Local;

namespace QueueScale.Cli;

/// <summary>Which API a command talks to: what its options name, else the environment, else the system that runs from this checkout.</summary>
internal sealed class ApiTarget
{
    private readonly Option<string?> _api = new("--api") { Description = "Address of the API. Default: QUEUESCALE_URL, else the system that `up` started here.", HelpName = "URL" };
    private readonly Option<string?> _key = new("--key") { Description = "API key. Default: QUEUESCALE_KEY, else that system's.", HelpName = "KEY" };

    public void AddTo(Command command)
    {
        command.Options.Add(_api);
        command.Options.Add(_key);
    }

    public QueueScaleClient Connect(ParseResult parsed)
    {
        var address = parsed.GetValue(_api) ?? Variable("QUEUESCALE_URL");
        var key = parsed.GetValue(_key) ?? Variable("QUEUESCALE_KEY");
        if (address is null)
        {
            var local = new LocalSystem(RunFolder.OfCheckout).Find()
                ?? throw new LocalProblem("No QueueScale runs here. Start one with ./queuescale up, or name another with --api URL --key KEY.");
            (address, key) = (local.Api, key ?? local.Key);
        }
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new UsageProblem($"'{address}' is no address of an API. Give one like http://127.0.0.1:8080.");
        }
        return new QueueScaleClient(uri, key ?? throw new UsageProblem($"A key is needed for {address}: give --key, or set QUEUESCALE_KEY."));
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
