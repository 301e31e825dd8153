-- What makes jobs by itself, one at each tick. The job's columns are those of jobs.
create table schedules (
  tenant int,
  name text,
  cron text not null,
  zone text not null,
  paused bool not null,
  next_at timestamptz,                                        -- the tick to come; null while it is paused
  last_at timestamptz,                                        -- the last tick that made a job,
  last_job uuid,                                              -- and that job
  type text not null,
  queue text not null,
  high bool not null,
  max_attempts smallint not null,
  timeout interval,
  input jsonb not null,
  tags text[],
  primary key (tenant, name)
);
create index schedules_due on schedules (next_at);

-- The ticks that have made their job, written with it: none makes a second one. Forgotten by age.
create table schedule_ticks (
  tenant int,
  name text,
  tick timestamptz,
  job uuid not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant, name, tick)
);
create index schedule_ticks_age on schedule_ticks (created_at);
