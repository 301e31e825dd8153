using StackExchange.Redis;

namespace QueueScale.Cache;

/// <summary>Looks at Redis once, for the doctor.</summary>
public static class RedisDiagnosis
{
    /// <returns>The server's version, and how long an answer takes.</returns>
    /// <exception cref="RedisConnectionException">It does not answer.</exception>
    public static async Task<(string Version, TimeSpan Took)> LookAsync(string connectionString, CancellationToken cancellation)
    {
        var settings = ConfigurationOptions.Parse(connectionString);
        settings.AbortOnConnectFail = true;
        settings.ConnectRetry = 1;
        settings.ConnectTimeout = 2000;
        using var connection = await ConnectionMultiplexer.ConnectAsync(settings).WaitAsync(cancellation);
        var took = await connection.GetDatabase().PingAsync().WaitAsync(cancellation);
        return (connection.GetServer(connection.GetEndPoints()[0]).Version.ToString(), took);
    }
}
