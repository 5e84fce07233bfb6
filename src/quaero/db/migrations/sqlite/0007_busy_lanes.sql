-- The lanes that have work, fullest first, and how many they are: what is shown of a queue costs
-- the same with ten lanes and with a hundred thousand. The count changes only when a lane gets its
-- first work or loses its last, so it is kept here and not by each statement that moves messages.
create index lane_busy on lane(queue_id, ready + running desc, key) where ready > 0 or running > 0;

alter table queue add column lanes integer not null default 0;
update queue set lanes = (
    select count(*) from lane where queue_id = queue.id and (ready > 0 or running > 0)
);

create trigger lane_turns_busy after update of ready, running on lane
  when (new.ready > 0 or new.running > 0) <> (old.ready > 0 or old.running > 0)
begin
    update queue set lanes = lanes + iif(new.ready > 0 or new.running > 0, 1, -1)
     where id = new.queue_id;
end;
create trigger lane_begins_busy after insert on lane when new.ready > 0 or new.running > 0
begin
    update queue set lanes = lanes + 1 where id = new.queue_id;
end;
create trigger lane_goes_busy after delete on lane when old.ready > 0 or old.running > 0
begin
    update queue set lanes = lanes - 1 where id = old.queue_id;
end;
