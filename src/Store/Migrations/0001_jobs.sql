-- One row a job, for all its life. State numbers are those of JobState; 4 is kept for jobs that wait for a limit.
create table jobs (
  id uuid primary key,
  tenant int not null,
  type text not null,
  queue text not null,
  high bool not null default false,
  state smallint not null,
  lane smallint not null default 0,                           -- where its current wake-up goes; hand-overs go to the front lane (1)
  at timestamptz not null default clock_timestamp(),          -- its place in the lane: when it was last queued
  dispatch int not null default 0,                            -- number of the current wake-up; older ones are void
  epoch int not null default 0,                               -- number of the current run; every write of a run is fenced by it
  worker uuid,                                                -- of the latest run
  started_at timestamptz,                                     -- of the latest run
  from_seq int not null default 0,                            -- checkpoint_seq when the latest run began
  cancel_requested bool not null default false,
  attempts smallint not null default 0,
  max_attempts smallint not null,
  interruptions int not null default 0,
  crashes smallint not null default 0,
  suspect smallint not null default 0,                        -- crashes in a row without progress
  run_at timestamptz,
  timeout interval,
  input jsonb not null,
  result jsonb,
  error jsonb,
  checkpoint jsonb,
  checkpoint_seq int not null default 0,
  checkpointed_at timestamptz,
  progress jsonb,
  trace text,
  tags text[],
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- checkpoint*, progress and cancel_requested stand in no index and no predicate, so that writing them is a HOT update. Keep it so.
create index jobs_queued on jobs (queue, lane, at) where state = 1;
create index jobs_running on jobs (worker) where state = 2;
create index jobs_due on jobs (run_at) where state in (0, 3);
create index jobs_failed on jobs (tenant, id) where state = 6;
create index jobs_tenant on jobs (tenant, id);

-- A lane is one physical RabbitMQ queue. Queued jobs with at <= fed have been sent; infinity means open: everybody sends, nobody is parked.
-- turn rises by one whenever fed moves back.
create table lanes (
  queue text,
  lane smallint,
  fed timestamptz not null default 'infinity',
  turn int not null default 0,
  probe_at timestamptz,                                       -- the present turn's last probe: what it carries,
  probe_sent timestamptz,                                     -- when it was sent,
  probes int not null default 0,                              -- and how many have gone unanswered
  primary key (queue, lane)
) with (fillfactor = 50);

-- ready = sum(entered - left), running = sum(started - ended), waiting = sum(waiting). One row a queue, lane and connection, so that no row is hot.
create table queue_counts (
  queue text,
  lane smallint,
  shard smallint,
  entered bigint not null default 0,
  "left" bigint not null default 0,
  started bigint not null default 0,
  ended bigint not null default 0,
  waiting bigint not null default 0,
  primary key (queue, lane, shard)
) with (fillfactor = 20);

-- One row a worker process; names repeat, ids do not.
create table workers (
  id uuid primary key,
  name text not null,
  lock_key bigint generated always as identity,
  host text not null,
  pid int not null,
  version text not null,
  queues text[] not null,
  slots int not null,
  started_at timestamptz not null default clock_timestamp(),
  pulse_at timestamptz not null default clock_timestamp(),
  lease interval not null,
  locked bool not null default false,                         -- whether the last pulse still held the advisory lock
  busy int not null default 0,
  draining bool not null default false,
  dead_at timestamptz,
  blame smallint,                                             -- set by a verdict of death: jobs with this suspect count or more are blamed
  means jsonb,                                                -- mean run seconds by job type and by queue
  seen_lane text[],                                           -- "queue/lane" of the lanes it takes from,
  seen_turn int[],                                            -- the turn of each,
  seen_at timestamptz[]                                       -- and the greatest wake-up of that turn that it has settled
) with (fillfactor = 50);
create index workers_alive on workers (pulse_at) where dead_at is null;

-- A row for each run that did not end its job; the last run is read from the job itself.
create table runs (
  job uuid,
  epoch int,
  worker uuid,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  how text not null,
  error jsonb,
  from_seq int not null,
  handover_from timestamptz,                                  -- when the reason of the hand-over came: SIGTERM received, or the dead worker's last pulse
  primary key (job, epoch)
);

create table job_types (
  name text primary key,
  queue text not null,
  max_attempts smallint not null,
  timeout interval,
  input_schema jsonb not null,
  registered_at timestamptz not null default clock_timestamp()
);

create function count_inserted_jobs() returns trigger language plpgsql as $$
begin
  insert into queue_counts (queue, lane, shard, entered, started, waiting)
  select queue, lane, pg_backend_pid() & 255, count(*) filter (where state = 1), count(*) filter (where state = 2), count(*) filter (where state in (0, 3))
  from added where state in (0, 1, 2, 3) group by 1, 2 order by 1, 2
  on conflict (queue, lane, shard) do update
    set entered = queue_counts.entered + excluded.entered, started = queue_counts.started + excluded.started, waiting = queue_counts.waiting + excluded.waiting;
  return null;
end $$;
create trigger count_inserted_jobs after insert on jobs referencing new table as added for each statement execute function count_inserted_jobs();

-- Rebuilds the counts after somebody wrote to jobs by hand.
create function queuescale_recount() returns void language plpgsql as $$
begin
  lock table queue_counts in exclusive mode;
  delete from queue_counts;
  insert into queue_counts (queue, lane, shard, entered, started, waiting)
  select queue, lane, 0, count(*) filter (where state = 1), count(*) filter (where state = 2), count(*) filter (where state in (0, 3))
  from jobs where state in (0, 1, 2, 3) group by 1, 2;
end $$;
