-- What is noted of a run goes with its job, in the transaction that deletes it.
delete from run where job_id not in (select id from job);
create trigger job_takes_run after delete on job
begin
    delete from run where job_id = old.id;
end;
