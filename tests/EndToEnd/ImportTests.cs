using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
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
        await MustHoldAsync($"imports.{table}", file, Rows);
    }

    [Fact]
    public async Task An_import_is_of_the_tenant_whose_key_submitted_it()
    {
        var api = await stage.StartApiAsync();
        await stage.StartWorkerAsync("w1", settings: ("Jobs__DataRoot", Path.Combine(stage.DataRoot, "{tenant}")));
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(stage.DataRoot, "shop")).FullName, "orders.csv");
        await OrdersFile.WriteAsync(file, 100);
        var key = (await stage.Client(api).CreateKeyAsync(new NewApiKey { Name = "shop", Scopes = [KeyScope.Submit, KeyScope.Read], Tenant = "shop" })).Key!;
        var job = (await stage.Client(api, key).SubmitAsync(Programs.Job("csv.import", new { source = "file:orders.csv", table = "orders" }))).Id;
        Assert.Equal(JobState.Succeeded, (await stage.Client(api, key).WaitForEndAsync(job)).State);
        await MustHoldAsync("imports_shop.orders", file, 100);
    }

    [Fact]
    public async Task An_import_from_https_whose_worker_is_killed_and_whose_server_breaks_off_has_every_row_once()
    {
        const int Orders = 30_000;
        var file = Path.Combine(stage.DataRoot, "web.csv");
        await OrdersFile.WriteAsync(file, Orders);
        var bytes = await File.ReadAllBytesAsync(file);
        var requests = new ConcurrentQueue<(string Range, string IfRange)>();
        await using var web = await HttpsServer.StartAsync(stage.DataRoot, async context =>
        {
            var headers = context.Request.Headers;
            requests.Enqueue((headers.Range.ToString(), headers.IfRange.ToString()));
            var turn = requests.Count;
            if (turn == 3)
            {
                await Results.File(file, "text/csv", enableRangeProcessing: true, entityTag: new("\"orders\"")).ExecuteAsync(context);
                return;
            }

            // The first time half of it and then nothing, the second time three quarters of it and no more.
            var from = turn == 1 ? 0 : (int)RangeHeaderValue.Parse(headers.Range.ToString()).Ranges.Single().From!.Value;
            context.Response.StatusCode = turn == 1 ? 200 : 206;
            context.Response.Headers.ETag = "\"orders\"";
            context.Response.ContentLength = bytes.Length - from;
            if (turn == 2) context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
            await context.Response.Body.WriteAsync(bytes.AsMemory(from..(bytes.Length * (turn + 1) / 4)));
            await context.Response.Body.FlushAsync();
            if (turn == 1) await Task.Delay(Timeout.Infinite, context.RequestAborted);
            context.Abort();
        });
        (string, string?)[] settings = [.. web.Settings, ("Worker__Lease", "00:00:05")];
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("w1", settings: settings);
        var job = (await client.SubmitAsync(Programs.Job("csv.import", new { source = $"https://localhost:{web.Port}/web.csv", table = "from_https" }))).Id;
        await client.WaitForAsync(job, j => j.Progress?.Done > 0);
        worker.Process.Signal(Signal.Kill);
        await stage.StartWorkerAsync("w2", settings: settings);

        var end = await client.WaitForEndAsync(job, TimeSpan.FromSeconds(60));
        Assert.Equal((JobState.Succeeded, Orders), (end.State, end.Result?.GetProperty("rows").GetInt32()));
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([RunEnding.Crashed, RunEnding.Failed, RunEnding.Succeeded], runs.Select(r => r.How!.Value));
        Assert.All(requests.Skip(1), request => Assert.Equal((true, "\"orders\""), (request.Range.StartsWith("bytes=", StringComparison.Ordinal), request.IfRange)));
        await MustHoldAsync("imports.from_https", file, Orders);
    }

    /// <summary>Compares the table with what PostgreSQL itself reads from the file.</summary>
    private async Task MustHoldAsync(string table, string file, int rows)
    {
        const string Columns = "order_id, placed_at, customer, product, quantity, price, note";
        await using var connection = await stage.Sql.OpenConnectionAsync();
        await using (var create = new NpgsqlCommand($"create temp table expected as select {Columns} from {table} limit 0", connection))
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
            select (select count(*) from {table}), (select count(*) from expected),
              (select count(*) from (select {Columns} from {table} except all select {Columns} from expected) as other)
            """,
            connection);
        await using var reader = await compare.ExecuteReaderAsync();
        await reader.ReadAsync();
        Assert.Equal((rows, rows, 0), (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2)));
    }
}
