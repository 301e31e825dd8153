-- The job types that a worker can run; null: it is of a version that does not say.
alter table workers add column if not exists types text[];
