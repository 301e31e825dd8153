using System.Diagnostics.Metrics;

namespace QueueScale.Hosting;

/// <summary>Whether this process reaches what it depends on.</summary>
public static class DependencyGauge
{
    /// <param name="meter">The meter of the process.</param>
    /// <param name="postgres">1 up, 0 down, null unknown.</param>
    /// <param name="rabbitMq">1 up, 0 down, null unknown.</param>
    /// <param name="redis">1 up, 0 down; absent where there is none.</param>
    public static void Create(Meter meter, Func<int?> postgres, Func<int?> rabbitMq, Func<int?>? redis = null) =>
        meter.CreateObservableGauge("queuescale.dependency.up", () => Measure(("postgres", postgres()), ("rabbitmq", rabbitMq()), ("redis", redis?.Invoke())), unit: null, "1 while this process reaches the server, else 0.");

    private static IEnumerable<Measurement<int>> Measure(params (string Name, int? Up)[] dependencies) =>
        from dependency in dependencies where dependency.Up is not null select new Measurement<int>(dependency.Up!.Value, new KeyValuePair<string, object?>("name", dependency.Name));
}
