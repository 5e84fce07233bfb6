-- Whether a run has not ended is asked at each due time, however many have.
create index job_run_status on job(type, status) where parent_id is null and type = 'workflow';
