-- What databases lack that were made while the first scripts still changed; others have it all.
drop index if exists message_due;
create index if not exists message_delayed on message(queue_id, due) where state = 1;
create index if not exists message_scheduled on message(queue_id, due) where state = 4;
create index if not exists message_laned on message(lane_id)
    where lane_id <> 0 and state in (1, 3, 4, 5, 6);
create index if not exists idempotency_job on idempotency(job_id);
create index if not exists idempotency_age on idempotency(created_at);
insert into document_fts(document_fts, rank) values ('deletemerge', 0);
