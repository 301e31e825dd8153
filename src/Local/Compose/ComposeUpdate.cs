using System.Diagnostics;
using System.Text.Json;

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
        var old = await ContainersAsync(cancellation);
        if (old.Count == 0) throw new LocalProblem("No API and no worker of docker-compose.yml runs. Start them: docker compose up -d --build --wait");

        IReadOnlyList<Container> fresh = [];
        try
        {
            if (build) await StepAsync("built", ["build", .. Replaced]);
            await StepAsync("migrated", ["run", "--rm", "--no-deps", "-T", "migrate"]);
            foreach (var service in Replaced)
            {
                var there = old.Where(one => one.Service == service).ToArray();
                var count = await WantedAsync(service, there);
                for (var more = 1; more <= count; more++) // one after the other: what several starts need at once, those that serve would lack
                {
                    // Without --no-recreate compose would stop the old ones first.
                    await Docker.ComposeAsync(["up", "-d", "--no-deps", "--no-recreate", "--scale", $"{service}={there.Length + more}", service], cancellation);
                    fresh = await FreshAsync(old, cancellation);
                    await ReadyAsync(service, [.. fresh.Select(one => one.Id)]);
                }
            }

            await FollowedAsync([.. fresh.Select(one => one.Id)]);
        }
        catch (Exception error)
        {
            foreach (var one in await FreshAsync(old, CancellationToken.None)) await EndAsync(one.Id); // some may serve already, and hand over
            foreach (var one in old.DistinctBy(one => one.Tag)) await Docker.RunAsync(["tag", one.Image, one.Tag], CancellationToken.None); // the next `up` must not take what has just failed
            if (error is LocalProblem problem) throw new LocalProblem($"Not updated; the old ones serve on. {problem.Message}", problem);
            throw;
        }

        foreach (var one in old) // from here on it goes to its end: half an update is worse than a late Ctrl-C
        {
            var stopping = Stopwatch.StartNew();
            await EndAsync(one.Id);
            tell(one.Service, $"an old one has ended in {stopping.Elapsed.TotalSeconds:0.0} s");
        }
        tell("updated", $"{fresh.Count} processes in {clock.Elapsed.TotalSeconds:0} s");
    }

    private async Task EndAsync(string id)
    {
        try
        {
            await Docker.RunAsync(["stop", id], CancellationToken.None);
        }
        catch (LocalProblem) when (cancellation.IsCancellationRequested)
        {
            await Docker.RunAsync(["stop", id], CancellationToken.None); // the first Ctrl-C ended docker, too
        }
        await Docker.RunAsync(["rm", id], CancellationToken.None);
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
        var log = await ProgramRun.RunAsync(["docker", "logs", "--tail", "5", id]);
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

    /// <summary>As many as there are. Where they are of two makes, an update was broken off, or the settings have changed since some were started: the larger half, and no fewer than the settings say.</summary>
    private async Task<int> WantedAsync(string service, IReadOnlyList<Container> there)
    {
        var makes = there.CountBy(one => (one.Image, one.Settings)).Select(make => make.Value).ToArray();
        if (makes.Length < 2) return there.Count;
        var settings = JsonElement.Parse(await Docker.ComposeAsync(["config", "--format", "json"], cancellation));
        var count = Math.Max(makes.Max(), settings.GetProperty("services").GetProperty(service).GetProperty("deploy").GetProperty("replicas").GetInt32());
        tell(service, $"{there.Count} run, of {makes.Length} makes; {count} will");
        return count;
    }

    private static async Task<IReadOnlyList<Container>> FreshAsync(IReadOnlyList<Container> old, CancellationToken cancellation) =>
        [.. (await ContainersAsync(cancellation)).ExceptBy(old.Select(one => one.Id), one => one.Id)];

    /// <summary>Those that serve; not what `docker compose run` has started.</summary>
    private static async Task<IReadOnlyList<Container>> ContainersAsync(CancellationToken cancellation)
    {
        var ids = (await Docker.ComposeAsync(["ps", "--all", "--quiet", .. Replaced], cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (ids.Length == 0) return [];
        const string Format = """{{.Id}} {{.Image}} {{.Config.Image}} {{index .Config.Labels "com.docker.compose.service"}} {{index .Config.Labels "com.docker.compose.config-hash"}} {{index .Config.Labels "com.docker.compose.oneoff"}}""";
        return [.. (await Docker.RunAsync(["inspect", "--format", Format, .. ids], cancellation)).Split('\n').Select(line => line.Split(' ')).Where(one => one[5] == "False").Select(one => new Container(one[3], one[0], one[1], one[2], one[4])).OrderBy(one => Array.IndexOf(Replaced, one.Service))];
    }

    private async Task StepAsync(string done, IReadOnlyList<string> arguments)
    {
        var clock = Stopwatch.StartNew();
        await Docker.ComposeAsync(arguments, cancellation);
        tell(done, $"in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    private sealed record Container(string Service, string Id, string Image, string Tag, string Settings);
}
