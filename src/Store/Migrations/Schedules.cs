using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

[DbContext(typeof(SchemaContext))]
[Migration("0005_schedules")]
internal sealed class Schedules : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(Schema.Script("0005_schedules"));
}
