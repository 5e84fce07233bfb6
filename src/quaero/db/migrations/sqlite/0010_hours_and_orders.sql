-- The same counts by hour (of Unix time), so that those of a day are few rows also where it was busy.
create table job_hour(
    hour integer not null,
    type text not null,
    measure integer not null,
    bucket integer not null,
    n integer not null,
    primary key(hour, type, measure, bucket)
) without rowid;
insert into job_hour(hour, type, measure, bucket, n)
select minute / 60, type, measure, bucket, sum(n) from job_minute group by 1, 2, 3, 4;

-- By duration each status has a walk of its own, so that the few that failed are found among many
-- that did not. By their end, the status is read in the index.
drop index job_top_duration;
create index job_top_duration on job(status, completed_at - started_at, id)
    where parent_id is null and status > 1 and started_at is not null;
drop index job_top_ended;
create index job_top_ended on job(completed_at, id, status) where parent_id is null and status > 1;
