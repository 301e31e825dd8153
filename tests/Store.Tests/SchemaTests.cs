using Npgsql;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class SchemaTests(Servers servers)
{
    [Fact]
    public async Task Migrators_that_start_at_once_apply_each_migration_once()
    {
        var database = await servers.NewEmptyDatabaseAsync(Servers.NewName());
        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Schema.MigrateAsync(database, CancellationToken.None))));
        Assert.Single(applied, migrations => migrations.Count > 0);
        await using var source = NpgsqlDataSource.Create(database);
        await Schema.CheckAsync(source, CancellationToken.None);
    }

    [Fact]
    public async Task An_empty_database_is_refused_in_one_line_that_says_what_to_do()
    {
        await using var source = NpgsqlDataSource.Create(await servers.NewEmptyDatabaseAsync(Servers.NewName()));
        var error = await Assert.ThrowsAsync<SchemaMismatch>(() => Schema.CheckAsync(source, CancellationToken.None));
        Assert.Contains("migrate", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task A_database_of_a_newer_version_that_is_compatible_is_taken_and_left_as_it_is()
    {
        var (database, source) = await NewerAsync("0003_compatibility");
        await using var _ = source;
        await Schema.CheckAsync(source, CancellationToken.None);
        Assert.Empty(await Schema.MigrateAsync(database, CancellationToken.None));
        await using var command = source.CreateCommand("select count(*)::int from schema_migrations where \"MigrationId\" = '9999_from_the_future'");
        Assert.Equal(1, await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_database_of_a_newer_version_that_is_not_compatible_is_refused_and_left_as_it_is()
    {
        var (database, source) = await NewerAsync("9998_another");
        await using var _ = source;

        var check = await Assert.ThrowsAsync<SchemaMismatch>(() => Schema.CheckAsync(source, CancellationToken.None));
        Assert.Contains("9999_from_the_future", check.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SchemaMismatch>(() => Schema.MigrateAsync(database, CancellationToken.None));
    }

    private async Task<(string Database, NpgsqlDataSource Source)> NewerAsync(string compatibleFrom)
    {
        var database = await servers.NewDatabaseAsync(Servers.NewName());
        var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand($"insert into schema_migrations values ('9999_from_the_future', '10.0.0'); update schema_compatibility set compatible_from = '{compatibleFrom}'");
        await command.ExecuteNonQueryAsync();
        return (database, source);
    }
}
