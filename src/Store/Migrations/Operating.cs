using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace QueueScale.Store.Migrations;

/// <summary>The table of jobs may be long: its index is made while others write to it, which no transaction can. One that was broken off is made anew.</summary>
[DbContext(typeof(SchemaContext))]
[Migration("0008_operating")]
internal sealed class Operating : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.Sql(Schema.Script("0008_operating"));
        migrationBuilder.Sql("drop index concurrently if exists jobs_unique", suppressTransaction: true);
        migrationBuilder.Sql("create unique index concurrently jobs_unique on jobs (tenant, unique_key) where unique_key is not null and state < 5", suppressTransaction: true);
    }
}
