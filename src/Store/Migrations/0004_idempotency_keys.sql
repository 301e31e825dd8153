-- What submissions were marked with, so that a repeat of one makes no job a second time. Forgotten by age.
create table idempotency_keys (
  tenant int,
  key text,
  fingerprint bytea not null,                                 -- of what was submitted
  jobs uuid[] not null,                                       -- made of it, in its order
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
