using Npgsql;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>PostgreSQL away in each of its ways.</summary>
internal static class PostgresOutages
{
    /// <summary>Under each way in which PostgreSQL can be away: every answer in time and honest, and all well again by itself.</summary>
    public static async Task<IReadOnlyList<Measured>> AwayAsync(Aim aim)
    {
        await aim.StartApiAsync();
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        var noop = new Kind("noop", 50, () => Submissions.Of("probe.noop"));
        aim.Load.Start([noop]);
        await Task.Delay(TimeSpan.FromSeconds(5));
        var results = new List<Measured>();
        foreach (var (name, fault) in new (string, Func<Task>)[]
        {
            ("stopped for 10 s", async () =>
            {
                await aim.Ground.PostgresFaults.StopImmediatelyAsync();
                await Task.Delay(TimeSpan.FromSeconds(10));
                await aim.Ground.Postgres.StartAsync();
            }),
            ("frozen for 10 s", async () =>
            {
                aim.Ground.PostgresFaults.Freeze();
                await Task.Delay(TimeSpan.FromSeconds(10));
                aim.Ground.PostgresFaults.Thaw();
            }),
            ("no connection left for 10 s", async () =>
            {
                aim.Ground.Sql.Clear(); // its connections may be those of before the stop
                await using var ours = await aim.Ground.Sql.OpenConnectionAsync();
                await using (await aim.Ground.PostgresFaults.ExhaustConnectionsAsync())
                {
                    await using var end = new NpgsqlCommand("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'queuescale%'", ours);
                    await end.ExecuteNonQueryAsync();
                    await Task.Delay(TimeSpan.FromSeconds(10));
                }
            }),
            ("jobs locked for 60 s", async () =>
            {
                await using (await aim.Ground.PostgresFaults.LockTableAsync(Ground.Database))
                {
                    await Task.Delay(TimeSpan.FromSeconds(60));
                }
            }),
        })
        {
            results.AddRange(await StruckAsync(aim, name, fault));
        }

        results.Add(await MissingAsync(aim));
        return results;
    }

    /// <summary>No room left for the write-ahead log.</summary>
    public static async Task<IReadOnlyList<Measured>> DiskFullAsync(Aim aim)
    {
        var postgres = aim.Ground.Postgres;
        var log = Path.Combine(await aim.Ground.ScalarAsync<string>("select current_setting('data_directory')"), "pg_wal");
        await postgres.StopAsync();
        await using var disk = await TmpfsDisk.MountAsync(log, 100 << 20);
        try
        {
            await postgres.StartAsync();
            await aim.StartApiAsync();
            await aim.StartWorkerAsync("", Measurement.UsualLease);
            aim.Load.Start([new Kind("noop", 50, () => Submissions.Of("probe.noop"))]);
            await Task.Delay(TimeSpan.FromSeconds(5));
            var results = await StruckAsync(aim, "without room for its log for 10 s", async () =>
            {
                disk.Fill();
                await UseUpTheLogAsync(aim);
                await Task.Delay(TimeSpan.FromSeconds(10));
                disk.Free();
                await postgres.StartAsync(); // it has ended itself
            });
            return [.. results, await MissingAsync(aim)];
        }
        finally
        {
            // The folder below the disk holds the log of before: all data goes with it.
            await aim.Ground.EndMembersAsync();
            await postgres.KillAsync();
            await disk.DisposeAsync();
            postgres.DeleteData();
            await postgres.StartAsync();
        }
    }

    private static async Task UseUpTheLogAsync(Aim aim)
    {
        aim.Ground.Sql.Clear(); // its connections are those of before the restart
        try
        {
            await aim.Ground.ExecuteAsync("create table filler as select repeat(md5(n::text), 30) from generate_series(1, 400000) n");
        }
        catch (NpgsqlException) when (aim.Ground.Postgres.Process is { } process)
        {
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(10)); // it ends itself over it
        }
    }

    /// <summary>Strikes under load.</summary>
    private static async Task<IReadOnlyList<Measured>> StruckAsync(Aim aim, string how, Func<Task> fault)
    {
        var api = aim.Ground.Apis[0];
        var pid = api.Process.Pid;
        var odd = aim.Load.Odd.Count;
        aim.Load.SlowestAnswer(reset: true);
        await fault();
        var over = DateTime.UtcNow;
        var fiveSeconds = Task.Delay(TimeSpan.FromSeconds(5));
        await aim.Load.AnsweredAsync();
        var slowest = aim.Load.SlowestAnswer(reset: false);
        await fiveSeconds;
        await aim.Load.AnsweredAsync();
        var first = aim.Load.Accepted.Where(a => a.At > over).Select(a => (a.At - over).TotalSeconds).DefaultIfEmpty(double.PositiveInfinity).Min();
        var events = aim.Load.Events.Where(e => e.Operation == Operation.Submit).ToLookup(e => e.Phase);
        var made = events[Phase.Invoke].Where(e => (e.At - over).TotalSeconds is >= 4 and < 5).Select(e => e.Call).ToHashSet();
        var accepted = events[Phase.Ok].Count(e => made.Contains(e.Call));
        return
        [
            new($"PostgreSQL {how}: slowest answer", $"{slowest:0.00} s, {aim.Load.Odd.Count - odd} not a 202 nor a 503 with Retry-After", "within 2 s, none odd", slowest <= 2 && aim.Load.Odd.Count == odd),
            new($"PostgreSQL {how}: accepted of those submitted 4 to 5 s after it", $"{accepted} of {made.Count}, the first 202 after {first:0.00} s", "95 %", made.Count > 0 && accepted >= 0.95 * made.Count),
            new($"PostgreSQL {how}: the API is the same process", $"{api.Process.IsRunning && api.Process.Pid == pid}", "True", api.Process.IsRunning && api.Process.Pid == pid),
        ];
    }

    /// <summary>Lets all end, and looks for every job that was accepted.</summary>
    private static async Task<Measured> MissingAsync(Aim aim)
    {
        await aim.Load.StopAsync();
        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(1));
        var known = (await aim.Ground.RowsAsync("select id::text from jobs")).Select(Guid.Parse).ToHashSet();
        var missing = aim.Load.Events.Count(e => e is { Operation: Operation.Submit, Phase: Phase.Ok, Job: { } job } && !known.Contains(job));
        return new("202 without a row", $"{missing}", "0", missing == 0);
    }
}
