using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>What a key is known by.</summary>
/// <param name="Tenant">Whose jobs it is for.</param>
/// <param name="Hash">SHA-256 of the whole key.</param>
/// <param name="Scopes">What it lets its bearer do.</param>
/// <param name="ExpiresAt">When it ends.</param>
/// <param name="IsLive">Neither revoked nor over.</param>
public sealed record KnownKey(int Tenant, byte[] Hash, IReadOnlyList<KeyScope> Scopes, DateTime? ExpiresAt, bool IsLive);

/// <summary>A checked key that is to be stored.</summary>
/// <param name="Id">Its public part.</param>
/// <param name="Hash">SHA-256 of the whole key.</param>
/// <param name="Name">What it is for.</param>
/// <param name="Tenant">The name of the tenant.</param>
/// <param name="Scopes">What it lets its bearer do.</param>
/// <param name="ExpiresAt">When it ends.</param>
public sealed record NewKey(string Id, byte[] Hash, string Name, string Tenant, IReadOnlyList<KeyScope> Scopes, DateTime? ExpiresAt);

/// <summary>Keys, by which callers show who they are.</summary>
public sealed class Keys(Database database)
{
    /// <summary>The tenant that is there from the start, and that keeps the others' keys.</summary>
    public const int FirstTenant = 1;

    /// <summary>APIs that start at once make one first key.</summary>
    private const long FirstKeyLock = 0x7173_6b65_7973;

    private const string Columns = "k.id, k.name, t.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at";

    private const string Insert = $"""
        with t as (insert into tenants (name) values ($4) on conflict (name) do update set name = excluded.name returning id, name),
             k as (insert into api_keys (id, hash, name, tenant, scopes, expires_at) select $1, $2, $3, t.id, $5, $6 from t returning *)
        select {Columns} from k cross join t
        """;

    /// <summary>What is known of a key; null where there is none.</summary>
    public async Task<KnownKey?> FindAsync(string id, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            "select tenant, hash, scopes, expires_at, revoked_at is null and coalesce(expires_at > clock_timestamp(), true) from api_keys where id = $1").With(id);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation)
            ? new KnownKey(reader.GetInt32(0), reader.GetFieldValue<byte[]>(1), Scopes(reader, 2), reader.TimeOrNull(3), reader.GetBoolean(4))
            : null;
    }

    /// <summary>The name of a tenant.</summary>
    public async Task<string> TenantAsync(int id, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select name from tenants where id = $1").With(id);
        return (string)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Stores a key, and its tenant where that is new.</summary>
    public async Task<ApiKey> CreateAsync(NewKey key, CancellationToken cancellation)
    {
        await using var command = With(database.General.CreateCommand(Insert), key);
        return (await ReadAsync(command, cancellation))[0];
    }

    /// <summary>Stores the first of all keys.</summary>
    /// <returns>False where there are keys already, or were.</returns>
    public async Task<bool> CreateFirstAsync(NewKey key, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await using (var turn = new NpgsqlCommand("select pg_advisory_xact_lock($1)", connection).With(FirstKeyLock))
        {
            await turn.ExecuteNonQueryAsync(cancellation);
        }

        await using (var others = new NpgsqlCommand("select exists (select from api_keys)", connection))
        {
            if ((bool)(await others.ExecuteScalarAsync(cancellation))!)
            {
                return false;
            }
        }

        await using var command = With(new NpgsqlCommand(Insert, connection), key);
        await command.ExecuteNonQueryAsync(cancellation);
        await transaction.CommitAsync(cancellation);
        return true;
    }

    /// <summary>One page, by id.</summary>
    /// <param name="after">The last id of the page before; null for the first page.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="tenant">Whose; null for everybody's.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<IReadOnlyList<ApiKey>> ListAsync(string? after, int limit, int? tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            $"select {Columns} from api_keys k join tenants t on t.id = k.tenant where k.id > $1 and ($3 is null or k.tenant = $3) order by k.id limit $2")
            .With(after ?? "").With(limit).With(tenant, NpgsqlDbType.Integer);
        return await ReadAsync(command, cancellation);
    }

    /// <summary>One key; null where the tenant (null: anybody) has none of this id.</summary>
    public async Task<ApiKey?> ReadAsync(string id, int? tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Columns} from api_keys k join tenants t on t.id = k.tenant where k.id = $1 and ($2 is null or k.tenant = $2)")
            .With(id).With(tenant, NpgsqlDbType.Integer);
        return (await ReadAsync(command, cancellation)).SingleOrDefault();
    }

    /// <summary>Ends a key at once.</summary>
    /// <returns>Whether the tenant (null: anybody) has it.</returns>
    public async Task<bool> RevokeAsync(string id, int? tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("update api_keys set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1 and ($2 is null or tenant = $2)")
            .With(id).With(tenant, NpgsqlDbType.Integer);
        return await command.ExecuteNonQueryAsync(cancellation) > 0;
    }

    /// <summary>Makes a key that is like another one, which ends after a while.</summary>
    /// <param name="id">The key that shall end.</param>
    /// <param name="tenant">Whose; null for anybody's.</param>
    /// <param name="newId">The public part of the new one.</param>
    /// <param name="newHash">SHA-256 of the new one.</param>
    /// <param name="overlap">For so long both are valid.</param>
    /// <param name="end">The new one ends no later than this, nor than the other one would have.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>The new key; null where there is no such key, or none that is live.</returns>
    public async Task<ApiKey?> RotateAsync(string id, int? tenant, string newId, byte[] newHash, TimeSpan overlap, DateTime? end, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            $"""
            with o as (
              select * from api_keys where id = $1 and ($2 is null or tenant = $2) and revoked_at is null and coalesce(expires_at > clock_timestamp(), true) for no key update),
            u as (update api_keys k set expires_at = least(k.expires_at, clock_timestamp() + $5) from o where k.id = o.id),
            k as (insert into api_keys (id, hash, name, tenant, scopes, expires_at) select $3, $4, o.name, o.tenant, o.scopes, least(o.expires_at, $6) from o returning *)
            select {Columns} from k join tenants t on t.id = k.tenant
            """)
            .With(id).With(tenant, NpgsqlDbType.Integer).With(newId).With(newHash).With(overlap).With(end, NpgsqlDbType.TimestampTz);
        return (await ReadAsync(command, cancellation)).SingleOrDefault();
    }

    /// <summary>Notes that keys were used just now.</summary>
    public async Task NoteUseAsync(string[] ids, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            "update api_keys k set last_used_at = clock_timestamp() from (select id from api_keys where id = any($1) order by id for no key update) u where k.id = u.id").WithColumn(ids, NpgsqlDbType.Text);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static NpgsqlCommand With(NpgsqlCommand command, NewKey key) => command
        .With(key.Id).With(key.Hash).With(key.Name).With(key.Tenant).WithColumn(key.Scopes.Select(scope => scope.ToString()).ToArray(), NpgsqlDbType.Text).With(key.ExpiresAt, NpgsqlDbType.TimestampTz);

    private static async Task<IReadOnlyList<ApiKey>> ReadAsync(NpgsqlCommand command, CancellationToken cancellation)
    {
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var keys = new List<ApiKey>();
        while (await reader.ReadAsync(cancellation))
        {
            keys.Add(new ApiKey
            {
                Id = reader.GetString(0),
                Name = reader.GetString(1),
                Tenant = reader.GetString(2),
                Scopes = Scopes(reader, 3),
                CreatedAt = reader.GetDateTime(4),
                ExpiresAt = reader.TimeOrNull(5),
                RevokedAt = reader.TimeOrNull(6),
                LastUsedAt = reader.TimeOrNull(7),
                Links = new ApiKeyLinks($"/v1/keys/{reader.GetString(0)}"),
            });
        }

        return keys;
    }

    private static KeyScope[] Scopes(NpgsqlDataReader reader, int column) => [.. reader.GetFieldValue<string[]>(column).Select(Enum.Parse<KeyScope>)];
}
