using System.Globalization;
using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>A private Prometheus that scrapes processes twice a second.</summary>
public sealed class Prometheus(LocalProcess process, Uri url)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };

    private readonly DateTimeOffset began = DateTimeOffset.UtcNow;

    /// <param name="folder">Its data and its log go there.</param>
    /// <param name="targets">The processes, by job.</param>
    public static async Task<Prometheus> StartAsync(RunFolder folder, params (string Job, HostProcess[] Processes)[] targets)
    {
        var program = await PromTool.FindAsync(folder, "prometheus");
        var place = Directory.CreateDirectory(Path.Combine(folder.FullPath, Servers.NewName())).FullName;
        var jobs = targets.Select(target => $$"""{"job_name": "{{target.Job}}", "static_configs": [{"targets": [{{string.Join(',', target.Processes.Select(p => $"\"{p.Url.Authority}\""))}}]}]}""");
        await File.WriteAllTextAsync(Path.Combine(place, "prometheus.yml"), $$"""{"global": {"scrape_interval": "500ms"}, "scrape_configs": [{{string.Join(',', jobs)}}]}""");
        var port = folder.Remembered.FreePortFor("prometheus");
        var process = await LocalProcess.StartAsync(folder, new ProgramStart(
            "prometheus", program, $"--config.file={place}/prometheus.yml", $"--storage.tsdb.path={place}/data", $"--web.listen-address=127.0.0.1:{port}"));
        var prometheus = new Prometheus(process, new Uri($"http://127.0.0.1:{port}/"));
        await Waiting.UntilAsync(prometheus.IsReadyAsync, () => process.LastLines());
        return prometheus;
    }

    public Task StopAsync() => process.KillAsync();

    /// <summary>The series of a query from the start until now, each with its numbers.</summary>
    /// <exception cref="InvalidOperationException">Prometheus refuses the query.</exception>
    public async Task<IReadOnlyList<(HashSet<string> Labels, double[] Values)>> QueryAsync(string query)
    {
        var parameters = new Dictionary<string, string>
        {
            ["query"] = query,
            ["start"] = began.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["end"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["step"] = "500ms",
        };
        using var form = new FormUrlEncodedContent(parameters);
        using var answer = await Http.PostAsync(new Uri(url, "api/v1/query_range"), form);
        var json = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        if (json.GetProperty("status").GetString() != "success")
        {
            throw new InvalidOperationException($"{json.GetProperty("error").GetString()}: {query}");
        }

        return [.. json.GetProperty("data").GetProperty("result").EnumerateArray().Select(series => (
            series.GetProperty("metric").EnumerateObject().Select(label => label.Name).ToHashSet(),
            series.GetProperty("values").EnumerateArray().Select(point => double.TryParse(point[1].GetString(), CultureInfo.InvariantCulture, out var value) ? value : double.NaN).ToArray()))];
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri(url, "-/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
