-- Which jobs of a parent may not start before others of it have ended.
--   any_end: 0 the needed job has to end well, 1 it has to end
create table need(
    job_id integer not null,
    needs_id integer not null,
    any_end integer not null,
    primary key(job_id, needs_id)
) without rowid;
create index need_of on need(needs_id, job_id);

--   unmet: how many needed jobs have not ended as wanted; needed: whether others wait for this one;
--   vital: a parent fails where it does not end well; tries: how often it may still be run again
--   as a whole when it failed, try_wait microseconds later; deadline: wall time at which it fails
alter table job add column unmet integer not null default 0;
alter table job add column needed integer not null default 0;
alter table job add column vital integer not null default 0;
alter table job add column tries integer not null default 0;
alter table job add column try_wait integer not null default 0;
alter table job add column deadline integer;
create index job_vital_flawed on job(parent_id) where vital = 1 and status > 2;
create index job_deadline on job(deadline) where deadline is not null and status < 2;
