using System.Diagnostics;

namespace QueueScale.Tests;

/// <summary>A private nginx with the files of deploy/nginx. What it cannot have here is the name that containers share: the addresses behind it are set by the test.</summary>
public sealed class Nginx : IAsyncDisposable
{
    private readonly string place;
    private readonly LocalProcess process;
    private readonly Process follower;

    private Nginx(string place, Uri url, LocalProcess process, Process follower) => (this.place, Url, this.process, this.follower) = (place, url, process, follower);

    /// <summary>Where callers reach it.</summary>
    public Uri Url { get; }

    /// <param name="folder">Its files and its log go there.</param>
    /// <param name="apis">Who answers to the APIs' name at first.</param>
    public static async Task<Nginx> StartAsync(RunFolder folder, params IEnumerable<HostProcess> apis)
    {
        var program = await FindAsync(folder);
        var name = $"nginx-{Servers.NewName()}";
        var place = Directory.CreateDirectory(Path.Combine(folder.FullPath, name)).FullName;
        var (port, own) = (folder.Remembered.FreePortFor(name), folder.Remembered.FreePortFor($"{name}-own"));
        Directory.CreateDirectory(Path.Combine(place, "programs"));
        await File.WriteAllTextAsync(Path.Combine(place, "nginx.conf"), $$"""
            daemon off; user root; worker_processes 2; pid {{place}}/pid; error_log {{place}}/error.log info;
            events {}
            http { client_body_temp_path {{place}}/body; proxy_temp_path {{place}}/proxy; fastcgi_temp_path {{place}}/f; uwsgi_temp_path {{place}}/u; scgi_temp_path {{place}}/s; include {{place}}/site.conf; }
            """);
        await File.WriteAllTextAsync(Path.Combine(place, "site.conf"), (await DeployedAsync("queuescale.conf.template", place))
            .Replace("${MAX_BODY}", "17m", StringComparison.Ordinal).Replace("listen 8080;", $"listen 127.0.0.1:{port};", StringComparison.Ordinal)
            .Replace("127.0.0.1:8081", $"127.0.0.1:{own}", StringComparison.Ordinal).Replace("/var/log/nginx", place, StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(place, "follow.sh"), (await DeployedAsync("40-follow-api.sh", place)).Replace(":$port", "", StringComparison.Ordinal)); // each API here has a port of its own
        foreach (var file in new[] { "apis.conf", "problems.conf" }) await File.WriteAllTextAsync(Path.Combine(place, file), await DeployedAsync(file, place));
        await ProgramAsync(place, "nginx", $"exec {program} \"$@\"");
        await ProgramAsync(place, "getent", $"sed 's/$/ STREAM api/' {place}/addresses");
        Name(place, apis);

        // In the container it runs before the outer nginx and goes on beside it.
        var start = new ProcessStartInfo("setsid", ["sh", "-c", $". {place}/follow.sh; wait"]);
        start.Environment["PATH"] = $"{place}/programs:{Environment.GetEnvironmentVariable("PATH")}";
        var follower = Process.Start(start)!;
        await Waiting.UntilAsync(() => Task.FromResult(File.Exists(Path.Combine(place, "queuescale-apis.sock"))));
        var process = await LocalProcess.StartAsync(folder, new ProgramStart(name, program, "-c", $"{place}/nginx.conf"));
        var nginx = new Nginx(place, new Uri($"http://127.0.0.1:{port}/"), process, follower);
        using var http = new HttpClient();
        await Waiting.UntilAsync(async () =>
        {
            try
            {
                using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{own}/nginx"));
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, () => process.LastLines());
        return nginx;
    }

    /// <summary>Sets who answers to the APIs' name.</summary>
    public void Name(params IEnumerable<HostProcess> apis) => Name(place, apis);

    /// <summary>Waits until it sends requests to all of these.</summary>
    public Task FollowsAsync(params IEnumerable<HostProcess> apis) => Waiting.UntilAsync(
        async () => await File.ReadAllTextAsync(Path.Combine(place, "api", "servers.conf")) is var servers && apis.All(api => servers.Contains($"{api.Url.Authority} ", StringComparison.Ordinal)),
        () => File.ReadAllText(Path.Combine(place, "error.log")));

    public async ValueTask DisposeAsync()
    {
        using (var kill = Process.Start("kill", ["-KILL", "--", $"-{follower.Id}"])) // it leads a group of its own
        {
            await kill.WaitForExitAsync();
        }

        await follower.WaitForExitAsync();
        follower.Dispose();
        using (var stop = Process.Start("kill", ["-TERM", (await File.ReadAllTextAsync(Path.Combine(place, "queuescale-apis.pid"))).Trim()]))
        {
            await stop.WaitForExitAsync();
        }

        await process.StopAsync(TimeSpan.FromSeconds(5));
    }

    private static void Name(string place, IEnumerable<HostProcess> apis)
    {
        var file = Path.Combine(place, "addresses");
        File.WriteAllLines(file + ".next", apis.Select(api => api.Url.Authority));
        File.Move(file + ".next", file, overwrite: true);
    }

    private static async Task<string> DeployedAsync(string file, string place) =>
        (await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy", "nginx", file))).Replace("/etc/nginx", place, StringComparison.Ordinal).Replace("/run/", $"{place}/", StringComparison.Ordinal);

    private static async Task ProgramAsync(string place, string name, string line)
    {
        var file = Path.Combine(place, "programs", name);
        await File.WriteAllTextAsync(file, $"#!/bin/sh\n{line}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static async Task<string> FindAsync(RunFolder folder)
    {
        using var held = await folder.LockAsync(null, CancellationToken.None);
        await AptGet.LetEndAsync(folder, null, CancellationToken.None);
        var missing = new[] { ("nginx", "nginx"), ("curl", "curl") }.Where(one => SearchPath.Find(one.Item1, "/usr/sbin") is null);
        await Installation.InstallAsync([.. missing], "with `nginx` and `curl` on PATH", folder, null, CancellationToken.None);
        return SearchPath.Find("nginx", "/usr/sbin") ?? throw new LocalProblem("`nginx` is not on PATH, although its package is installed.");
    }
}
