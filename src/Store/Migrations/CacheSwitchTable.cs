using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

[DbContext(typeof(SchemaContext))]
[Migration("0009_cache_switch")]
internal sealed class CacheSwitchTable : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(Schema.Script("0009_cache_switch"));
}
