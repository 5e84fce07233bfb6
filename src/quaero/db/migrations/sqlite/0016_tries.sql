-- How often a job may be tried again in each round: opening it by hand gives it all of them anew.
-- What is left of them is in tries, and the wait before the first in try_wait.
alter table job add column tries_given integer not null default 0;
update job set tries_given = tries where tries > 0;
