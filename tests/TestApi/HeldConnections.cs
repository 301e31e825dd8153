using Microsoft.Extensions.Hosting;
using Npgsql;
using QueueScale.Store;

namespace QueueScale.TestApi;

/// <summary>Takes every connection of the pool for lists and duties, and keeps them for as long as the file is there that TEST_API_HOLD names.</summary>
internal sealed class HeldConnections(Database database) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var file = Environment.GetEnvironmentVariable("TEST_API_HOLD")!;
        var most = new NpgsqlConnectionStringBuilder(database.General.ConnectionString).MaxPoolSize;
        var held = new List<NpgsqlConnection>();
        for (; !stoppingToken.IsCancellationRequested; await Task.Delay(20, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing))
        {
            while (File.Exists(file) && held.Count < most)
            {
                try
                {
                    held.Add(await database.General.OpenConnectionAsync(stoppingToken));
                }
                catch (NpgsqlException)
                {
                    // Somebody else still has it.
                }
            }

            if (!File.Exists(file))
            {
                held.ForEach(connection => connection.Dispose());
                held.Clear();
            }
        }
    }
}
