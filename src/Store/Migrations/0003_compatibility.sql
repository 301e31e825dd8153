-- The oldest migration whose programs still run on this schema, written by whoever migrates. A program that knows it may start, though it does not know all that came after.
create table schema_compatibility (
  one bool primary key default true check (one),
  compatible_from text not null
);
