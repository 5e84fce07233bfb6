-- How long a job may take, in microseconds: a deadline is set anew from it when the job is reopened.

alter table job add column time_limit integer;
