using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

[DbContext(typeof(SchemaContext))]
[Migration("0004_idempotency_keys")]
internal sealed class IdempotencyKeys : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(Schema.Script("0004_idempotency_keys"));
}
