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
    public async Task A_database_of_a_newer_version_is_refused_and_left_as_it_is()
    {
        var database = await servers.NewDatabaseAsync(Servers.NewName());
        await using var source = NpgsqlDataSource.Create(database);
        await using (var command = source.CreateCommand("""insert into schema_migrations values ('9999_from_the_future', '10.0.0')"""))
        {
            await command.ExecuteNonQueryAsync();
        }

        var check = await Assert.ThrowsAsync<SchemaMismatch>(() => Schema.CheckAsync(source, CancellationToken.None));
        Assert.Contains("9999_from_the_future", check.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SchemaMismatch>(() => Schema.MigrateAsync(database, CancellationToken.None));
    }
}
