-- How long a job may take with all below it, in microseconds: when it is opened again its deadline is
-- that long after.
alter table job add column time_limit integer;
