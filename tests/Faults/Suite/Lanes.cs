namespace QueueScale.Faults;

/// <summary>What the two lanes run.</summary>
internal static class Lanes
{
    /// <summary>Where its servers and processes live.</summary>
    public static RunFolder Folder => RunFolder.OfCheckout.Below("faults");

    /// <summary>One strike after the other, about four minutes.</summary>
    public static async Task<Outcome> ShortAsync(int seed, IReadOnlyList<string> only, Tell tell, int backlog = 0)
    {
        await using var ground = await Ground.StartAsync(Folder, tell);
        return await new Campaign(ground, seed, backlog, tell).InTurnAsync(
            [.. Strikes.All.Where(strike => only.Count > 0 ? only.Contains(strike.Fault, StringComparer.OrdinalIgnoreCase) : !strike.LongLaneOnly)]);
    }

    /// <summary>The promised figures, one after the other, about 40 minutes.</summary>
    public static async Task<IReadOnlyList<Measured>> FiguresAsync(IReadOnlyList<string> only, Tell tell)
    {
        await using var ground = await Ground.StartAsync(Folder, tell);
        var all = new List<Measured>();
        foreach (var measurement in Measurement.All.Where(measurement => only.Count == 0 || only.Contains(measurement.Name)))
        {
            tell("measuring", measurement.Name);
            foreach (var measured in await MeasureAsync(ground, measurement))
            {
                tell(measured.Met ? "ok" : "NOT MET", $"{measured.Name}: {measured.Value} (wanted: {measured.Wanted})");
                all.Add(measured);
            }
        }

        return all;
    }

    private static async Task<IReadOnlyList<Measured>> MeasureAsync(Ground ground, Measurement measurement)
    {
        try
        {
            return await Aim.RunAsync(ground, measurement);
        }
        catch (Exception error) when (error is TimeoutException or MissingPrivilege)
        {
            return [new(measurement.Name, error.Message, "to be measured", Met: false)];
        }
    }

    /// <summary>Up to three strikes at once, by chance.</summary>
    public static async Task<Outcome> LongAsync(int seed, TimeSpan time, IReadOnlyList<string> only, Tell tell, int backlog = 0)
    {
        await using var ground = await Ground.StartAsync(Folder, tell);
        return await new Campaign(ground, seed, backlog, tell).ByChanceAsync(
            [.. Strikes.All.Where(strike => only.Count == 0 || only.Contains(strike.Fault, StringComparer.OrdinalIgnoreCase))], time);
    }
}
