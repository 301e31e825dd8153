using System.Text.Json;

namespace QueueScale.Tests;

public sealed class RunTimesTests
{
    [Fact]
    public void The_mean_follows_the_last_runs_of_each_type_and_queue()
    {
        var times = new RunTimes();
        Assert.Null(times.MeanSeconds);
        for (var run = 0; run < 500; run++)
        {
            times.Add("short", "default", TimeSpan.FromSeconds(0.2));
        }

        times.Add("long", "bulk", TimeSpan.FromSeconds(8));
        Assert.Equal(0.2, times.OfType("short")!.Value, 6);
        Assert.Equal(0.2, times.OfQueue("default")!.Value, 6);
        Assert.Equal(8, times.OfType("long"));
        Assert.Null(times.OfType("unknown"));
        Assert.Equal(8, JsonElement.Parse(times.ToJson()).GetProperty("queues").GetProperty("bulk").GetDouble());

        for (var run = 0; run < 50; run++)
        {
            times.Add("short", "default", TimeSpan.FromSeconds(2)); // from now on they take ten times as long
        }

        Assert.InRange(times.OfType("short")!.Value, 1.2, 1.5); // two thirds of the way
    }
}
