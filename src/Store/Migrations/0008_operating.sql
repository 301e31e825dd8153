-- May be repeated: the index that comes after it is made in a transaction of its own. Whoever wants a table of jobs that a dump reads would have everybody wait behind him.
set local lock_timeout = '1 s';

-- Queues that somebody has paused, now or once.
create table if not exists queues (
  name text primary key,
  paused bool not null,
  resumed_at timestamptz                                      -- the last time
);

-- Which queues are paused now, for a claim. The list is of this moment, not of the claim's snapshot, which is older; and the lock, until the claim has ended, tells who pauses
-- a queue that a claim is under way which may not know of it.
create or replace function queuescale_paused_queues() returns text[] language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock_shared(5571734);
  return array(select name from queues where paused);
end $$;

create or replace function queuescale_claims_under_way() returns text[] language sql volatile as $$
  select coalesce(array_agg(virtualtransaction), '{}') from pg_locks
  where locktype = 'advisory' and objsubid = 1 and (classid::bigint << 32 | objid::bigint) = 5571734 and database = (select oid from pg_database where datname = current_database())
$$;

-- At most one unfinished job of a tenant has a key.
alter table jobs add column if not exists unique_key text;
alter table schedules add column if not exists unique_key text;

-- Somebody asks this process to end as after SIGTERM.
alter table workers add column if not exists drain_asked bool not null default false;
