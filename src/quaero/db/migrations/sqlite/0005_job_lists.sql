-- The orders in which lists of jobs are offered: each is a walk along one index.
--   top-level jobs: by id (job_top), by status and id (job_top_status), by type and id, by the time
--     of creation, start (job_top_started) and end (job_top_ended), and by duration
--   children of a job: by id (job_child, job_child_open, job_child_flawed)
--   all jobs: by id, those that run now, and those that ended badly
create index job_top_type on job(type, id) where parent_id is null;
create index job_top_created on job(created_at, id) where parent_id is null;
create index job_top_started on job(started_at, id)
    where parent_id is null and started_at is not null;
create index job_top_duration on job(completed_at - started_at, id)
    where parent_id is null and status > 1 and started_at is not null;
create index job_running on job(id) where status = 1;
create index job_flawed on job(status, id) where status > 2;

-- Which documents a job saved.
create index document_job on document(job_id, id) where job_id is not null;
