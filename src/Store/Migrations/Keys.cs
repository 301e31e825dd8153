using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

[DbContext(typeof(SchemaContext))]
[Migration("0007_keys")]
internal sealed class Keys : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(Schema.Script("0007_keys"));
}
