-- Until then no API answers from what the APIs share in Redis: one of them cannot reach it.
create table cache_switch (
  one bool primary key default true check (one),
  off_until timestamptz not null
);
insert into cache_switch (off_until) values ('-infinity');
