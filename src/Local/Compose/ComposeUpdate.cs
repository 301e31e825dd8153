using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>Replaces the APIs and workers of docker-compose.yml by those of the present checkout, so that no request fails: new ones come up beside the old ones, which end one by one.</summary>
public sealed class ComposeUpdate(Tell tell, CancellationToken cancellation)
{
    private const string Nginx = "nginx";
    private static readonly string[] Replaced = ["api", "worker"];
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan FollowPatience = TimeSpan.FromSeconds(30);

    /// <param name="build">Whether the images are built first; else those that there are under the names of docker-compose.yml are taken.</param>
    /// <exception cref="LocalProblem">It was not updated and the old ones serve on; or old ones are left over. The message says which and why.</exception>
    public async Task RunAsync(bool build)
    {
        var clock = Stopwatch.StartNew();
        var old = await ContainersAsync();
        if (old.Count == 0) throw new LocalProblem("No API and no worker of docker-compose.yml runs. Start them: docker compose up -d --build --wait");

        var images = (await Docker.RunAsync(["inspect", "--format", "{{.Image}} {{.Config.Image}}", .. old.Select(one => one.Id)], cancellation)).Split('\n').Distinct().Select(line => line.Split(' ')).ToArray();
        if (build) await StepAsync("built", ["build", .. Replaced, "migrate"]);
        await StepAsync("migrated", ["run", "--rm", "--no-deps", "-T", "migrate"]);
        IReadOnlyList<string> fresh = [];
        try
        {
            foreach (var service in Replaced)
            {
                var count = old.Count(one => one.Service == service);
                for (var more = 1; more <= count; more++) // one after the other: what several starts need at once, those that serve would lack
                {
                    // Without --no-recreate compose would stop the old ones first.
                    await Docker.ComposeAsync(["up", "-d", "--no-deps", "--no-recreate", "--scale", $"{service}={count + more}", service], cancellation);
                    fresh = [.. (await ContainersAsync()).Except(old).Select(one => one.Id)];
                    await ReadyAsync(service, fresh);
                }
            }

            await FollowedAsync(fresh);
        }
        catch (Exception error)
        {
            fresh = [.. (await ContainersAsync(CancellationToken.None)).Except(old).Select(one => one.Id)];
            if (fresh.Count > 0) await Docker.RunAsync(["rm", "--force", .. fresh], CancellationToken.None);
            foreach (var image in images) await Docker.RunAsync(["tag", .. image], CancellationToken.None); // the next `up` must not take what has just failed
            if (error is LocalProblem problem) throw new LocalProblem($"Not updated; the old ones serve on. {problem.Message}", problem);
            throw;
        }

        foreach (var (service, id) in old) // from here on it goes to its end: half an update is worse than a late Ctrl-C
        {
            var stopping = Stopwatch.StartNew();
            await Docker.RunAsync(["stop", id], CancellationToken.None);
            await Docker.RunAsync(["rm", id], CancellationToken.None);
            tell(service, $"an old one has ended in {stopping.Elapsed.TotalSeconds:0.0} s");
        }
        tell("updated", $"{fresh.Count} processes in {clock.Elapsed.TotalSeconds:0} s");
    }

    private async Task ReadyAsync(string service, IReadOnlyList<string> fresh)
    {
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(500, cancellation))
        {
            var states = (await Docker.RunAsync(["inspect", "--format", "{{.Id}} {{.RestartCount}} {{.State.Status}} {{.State.Health.Status}}", .. fresh], cancellation)).Split('\n').Select(line => line.Split(' ')).ToArray();
            if (states.All(state => state is [_, _, "running", "healthy"]))
            {
                tell(service, $"a new one is ready in {clock.Elapsed.TotalSeconds:0.0} s");
                return;
            }
            if (states.FirstOrDefault(state => state is not [_, "0", "running" or "created", "healthy" or "starting"]) is { } failed) throw await NotReadyAsync(failed[0]);
            if (clock.Elapsed > ReadyPatience) throw await NotReadyAsync(states.First(state => state[^1] != "healthy")[0]);
        }
    }

    private static async Task<LocalProblem> NotReadyAsync(string id)
    {
        var log = await Command.RunAsync(["docker", "logs", "--tail", "5", id]);
        return new($"A new one does not become ready. The end of its log:\n  {(log.Output + log.Error).Trim().ReplaceLineEndings("\n  ")}");
    }

    /// <summary>nginx sends requests to all new APIs.</summary>
    private async Task FollowedAsync(IReadOnlyList<string> fresh)
    {
        if (await Docker.ComposeAsync(["ps", "--quiet", Nginx], cancellation) is "") return; // whoever has another proxy sees to it
        string[] addresses = [.. (await Docker.RunAsync(["inspect", "--format", "{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{$network.IPAddress}}\n{{end}}", .. fresh], cancellation))
            .Split('\n').Select(line => line.Split(' ')).Where(line => line is [var network, _] && network.EndsWith("_proxied", StringComparison.Ordinal)).Select(line => line[1])];
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(500, cancellation))
        {
            var known = await Docker.ComposeAsync(["exec", "-T", Nginx, "cat", "/etc/nginx/api/servers.conf"], cancellation);
            if (addresses.All(address => known.Contains($" {address}:", StringComparison.Ordinal))) break;
            if (clock.Elapsed > FollowPatience) throw new LocalProblem($"nginx does not follow: of {string.Join(", ", addresses)} it knows\n{known}");
        }
        await Docker.ComposeAsync(["exec", "-T", Nginx, "nginx", "-c", "/etc/nginx/apis.conf", "-s", "reload"], cancellation); // what it wrote down it may not have loaded yet
        tell(Nginx, "sends requests to the new ones");
    }

    private Task<IReadOnlyList<(string Service, string Id)>> ContainersAsync() => ContainersAsync(cancellation);

    private static async Task<IReadOnlyList<(string Service, string Id)>> ContainersAsync(CancellationToken cancellation)
    {
        var all = new List<(string, string)>();
        foreach (var service in Replaced)
        {
            var ids = await Docker.ComposeAsync(["ps", "--all", "--quiet", service], cancellation);
            all.AddRange(ids.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(id => (service, id)));
        }
        return all;
    }

    private async Task StepAsync(string done, IReadOnlyList<string> arguments)
    {
        var clock = Stopwatch.StartNew();
        await Docker.ComposeAsync(arguments, cancellation);
        tell(done, $"in {clock.Elapsed.TotalSeconds:0.0} s");
    }
}
