using System.Globalization;
using QueueScale.Contracts;
using QueueScale.Local;

namespace QueueScale.Bench;

/// <summary>What the caches bring, and what they cost where they bring nothing.</summary>
internal static class Reads
{
    private const int Connections = 64;
    private const int Rounds = 3;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(4);

    public static async Task<IReadOnlyList<Figure>> MeasureAsync(Ground ground)
    {
        await ground.ResetAsync();
        var redis = ground.Servers.RedisConnectionString ?? throw new InvalidOperationException("Redis is not installed. On Debian or Ubuntu: apt-get install redis-server");
        var without = await ground.StartApiAsync();
        var with = await ground.StartApiAsync(new KeyValuePair<string, string?>("ConnectionStrings__Redis", redis));
        await Measures.RegisterTypesAsync(ground);
        using var client = Ground.Client(without);
        var jobs = new List<Guid>();
        for (var batch = 0; batch < 3; batch++)
        {
            jobs.AddRange(await client.SubmitBatchAsync([.. Enumerable.Repeat(new SubmitJob { Type = "probe.noop" }, 10_000)]));
        }

        string[] all = [.. jobs.Select(job => $"/v1/jobs/{job}")];
        string[] one = [all[0]];
        foreach (var api in new[] { without, with })
        {
            await Load.ReadAsync(api.Url, one, Ground.Key, Connections, Window); // warm
            await Load.ReadAsync(api.Url, all, Ground.Key, Connections, Window);
        }

        (string Name, HostProcess Api, string[] Paths)[] kinds =
            [("one queued job, without Redis", without, one), ("one queued job, with Redis", with, one), ("30,000 jobs, without Redis", without, all), ("30,000 jobs, with Redis", with, all)];
        var results = kinds.ToDictionary(kind => kind.Name, _ => new List<LoadResult>());
        await RunAsync();
        await using (var end = ground.Sql.CreateCommand($"update jobs set state = 5, result = '1', finished_at = clock_timestamp() where id = '{jobs[0]}'"))
        {
            await end.ExecuteNonQueryAsync();
        }

        kinds = [("one job that has succeeded", without, one)];
        results.Add(kinds[0].Name, []);
        await RunAsync();
        return [.. results.Select(result => new Figure(result.Key, string.Create(CultureInfo.InvariantCulture,
            $"median {Measures.Median(result.Value.Select(r => r.PerSecond)):0}/s, p50 {Measures.Median(result.Value.Select(r => r.P50)):0.0} ms, p99 {Measures.Median(result.Value.Select(r => r.P99)):0.0} ms; refused {result.Value.Sum(r => r.Refused)}")))];

        async Task RunAsync()
        {
            for (var round = 0; round < Rounds; round++)
            {
                foreach (var (name, api, paths) in kinds)
                {
                    results[name].Add(await Load.ReadAsync(api.Url, paths, Ground.Key, Connections, Window));
                }
            }
        }
    }
}
