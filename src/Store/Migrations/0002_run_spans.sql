-- The trace context of the run's span, where its worker traced: the next run links to it.
alter table runs add column span text;
