using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

[DbContext(typeof(SchemaContext))]
[Migration("0006_bulk_requests")]
internal sealed class BulkRequestsTable : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(Schema.Script("0006_bulk_requests"));
}
