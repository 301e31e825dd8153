-- What is to be done to all jobs that fit a filter, and how far that is. Each job is looked at once, in the order of ids.
create table bulk_requests (
  id uuid primary key,
  tenant int not null,
  action text not null,                                       -- retry or cancel
  from_start bool not null,                                   -- retry: without the checkpoint
  rate int,                                                   -- jobs a second; null: as fast as it goes
  states smallint[] not null,
  type text,
  queue text,
  tag text,
  created_after timestamptz,
  created_before timestamptz,
  matched bigint not null,                                    -- when it was asked for
  done bigint not null default 0,
  place uuid not null default '00000000-0000-0000-0000-000000000000',  -- jobs up to here have been looked at
  last uuid not null,                                         -- the last job that is looked at
  created_at timestamptz not null default clock_timestamp(),
  page_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);
create index bulk_requests_open on bulk_requests (id) where finished_at is null;
