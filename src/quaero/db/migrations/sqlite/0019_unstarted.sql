-- Top-level jobs that never began, by status: they come last where jobs are listed by a time.
create index job_top_unstarted on job(status, id) where parent_id is null and started_at is null;
