using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>What one tenant imports, from where and to where, is nobody else's.</summary>
public sealed class TenantTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_data_folder_that_names_no_tenant_is_the_first_tenants_alone()
    {
        var source = folder.Write("orders.csv", "a\n1\n");
        Assert.Equal(1, (await ImportAsync(TenantName.First, folder.Root, source, "orders")).Rows);
        var failed = await Assert.ThrowsAsync<JobFailed>(() => ImportAsync("shop", folder.Root, source, "orders"));
        Assert.Equal("source_missing", failed.Code);
        Assert.Contains("{tenant} into Jobs:DataRoot", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_tenant_reads_its_own_folder_and_writes_its_own_schema()
    {
        Write(TenantName.First, "a\n1\n2\n");
        Write("shop", "a\n3\n");
        await ImportAsync(TenantName.First, OfTenant, "file:orders.csv", "same");
        await ImportAsync("shop", OfTenant, "file:orders.csv", "same");
        await ImportAsync("shop", OfTenant, "file:orders.csv", "same", ImportMode.Replace);
        Assert.Equal(["1", "2"], await ColumnAsync("imports"));
        Assert.Equal(["3"], await ColumnAsync("imports_shop"));
    }

    [Fact]
    public async Task A_link_into_another_tenants_folder_is_not_followed()
    {
        Write(TenantName.First, "a\n1\n");
        Write("shop", "");
        File.CreateSymbolicLink(Path.Combine(folder.Root, "shop", "theirs.csv"), Path.Combine(folder.Root, TenantName.First, "orders.csv"));
        Assert.Equal("input_invalid", (await Assert.ThrowsAsync<JobFailed>(() => ImportAsync("shop", OfTenant, "file:theirs.csv", "theirs"))).Code);
    }

    [Fact]
    public async Task A_tenant_whose_schema_PostgreSQL_would_cut_imports_nothing()
    {
        var tenant = new string('x', 56);
        Write(tenant, "a\n1\n");
        var failed = await Assert.ThrowsAsync<JobFailed>(() => ImportAsync(tenant, OfTenant, "file:orders.csv", "orders"));
        Assert.Contains("64 characters", failed.Message, StringComparison.Ordinal);
        Write(tenant[1..], "a\n1\n");
        Assert.Equal(1, (await ImportAsync(tenant[1..], OfTenant, "file:orders.csv", "orders")).Rows);
    }

    private string OfTenant => Path.Combine(folder.Root, "{tenant}");

    private void Write(string tenant, string text)
    {
        Directory.CreateDirectory(Path.Combine(folder.Root, tenant));
        folder.Write($"{tenant}/orders.csv", text);
    }

    private async Task<CsvImportResult> ImportAsync(string tenant, string dataRoot, string source, string table, ImportMode mode = ImportMode.Append)
    {
        var harness = JobHarness.For(() => new CsvImport(Options.Create(new JobsOptions { DataRoot = dataRoot }), ImportFolder.Outbound), postgres.Database);
        harness.Tenant = tenant;
        return (await harness.RunAsync(new CsvImportInput { Source = source, Table = table, Mode = mode })).Result;
    }

    private Task<string[]> ColumnAsync(string schema) => postgres.ScalarAsync<string[]>($"select array_agg(a order by a) from {schema}.same");
}
