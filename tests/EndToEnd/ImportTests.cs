using Npgsql;

namespace QueueScale.Tests;

public sealed class ImportTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private const int Rows = 600_000;

    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Theory]
    [InlineData(Signal.Terminate, RunEnding.Interrupted)]
    [InlineData(Signal.Kill, RunEnding.Crashed)]
    public async Task An_import_whose_worker_is_stopped_half_way_has_every_row_once(Signal signal, RunEnding ending)
    {
        var file = Path.Combine(stage.DataRoot, "orders.csv");
        await OrdersFile.WriteAsync(file, Rows);
        var table = $"imported_{signal}".ToLowerInvariant();
        var client = stage.Client(await stage.StartApiAsync());
        var workers = new Dictionary<string, HostProcess> { ["w1"] = await stage.StartWorkerAsync("w1"), ["w2"] = await stage.StartWorkerAsync("w2") };
        var job = (await client.SubmitAsync(Programs.Job("csv.import", new { source = "file:orders.csv", table }))).Id;
        await client.WaitForAsync(job, j => j.State == JobState.Running && j.Progress?.Done > Rows / 5);
        workers[await client.WorkerOfAsync(job)].Process.Signal(signal);

        var end = await client.WaitForEndAsync(job, TimeSpan.FromSeconds(60));
        Assert.Equal((JobState.Succeeded, Rows), (end.State, end.Result!.Value.GetProperty("rows").GetInt32()));
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([ending, RunEnding.Succeeded], runs.Select(r => r.How!.Value));
        Assert.NotEqual(runs[0].Worker, runs[1].Worker);
        Assert.True(runs[1].FromCheckpoint > 0);
        await MustHoldAsync(table, file);
    }

    /// <summary>Compares the table with what PostgreSQL itself reads from the file.</summary>
    private async Task MustHoldAsync(string table, string file)
    {
        const string Columns = "order_id, placed_at, customer, product, quantity, price, note";
        await using var connection = await stage.Sql.OpenConnectionAsync();
        await using (var create = new NpgsqlCommand($"create temp table expected as select {Columns} from imports.{table} limit 0", connection))
        {
            await create.ExecuteNonQueryAsync();
        }

        await using (var copy = await connection.BeginTextImportAsync("copy expected from stdin (format csv, header)"))
        using (var lines = new StreamReader(file))
        {
            var buffer = new char[65536];
            for (int read; (read = await lines.ReadAsync(buffer)) > 0;)
            {
                await copy.WriteAsync(buffer.AsMemory(0, read));
            }
        }

        await using var compare = new NpgsqlCommand(
            $"""
            select (select count(*) from imports.{table}), (select count(*) from expected),
              (select count(*) from (select {Columns} from imports.{table} except all select {Columns} from expected) as other)
            """,
            connection);
        await using var reader = await compare.ExecuteReaderAsync();
        await reader.ReadAsync();
        Assert.Equal((Rows, Rows, 0), (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2)));
    }
}
