"""The live hub: what is told is what is stored, nothing is missed, and nobody slows the others."""

import asyncio
import dataclasses
import json
from functools import partial
from itertools import count

import pytest

from quaero.api.live import hub, look, outbox, tail
from quaero.api.live.client import GOING_AWAY, TRY_AGAIN_LATER
from quaero.api.live.topics import MOST_TOPICS
from quaero.clock import DAY, SECOND
from quaero.errors import StorageError
from quaero.jobs import JobSpec, actions, feed, logs
from quaero.jobs.create import create
from quaero.jobs.logs import Entry
from quaero.jobs.run import Completed, claim, progress, settle_all
from quaero.queue.claim import Claim
from quaero.queue.queue import open_queue

from .listening import Listener, hubbing, plain_views


@pytest.fixture
async def live(opened):
    """A hub over a new database, and a way to connect to it."""
    await opened.db.write(open_queue, "quaero_jobs")
    async with hubbing(opened.db) as hub:
        yield partial(Listener, opened.db, hub)


@pytest.fixture
def db(opened):
    return opened.db


def specs(count, type_="leaf"):
    return [JobSpec(type_, name=f"{type_} {n}") for n in range(count)]


async def end_all(db, spawn=()):
    works = await db.write(claim, 1, Claim(1_000, 300 * SECOND))
    outcomes = [Completed(work, 0, spawn=list(spawn)) for work in works]
    await db.write(settle_all, outcomes, 3, None)
    return [work.job_id for work in works]


def say(tx, job_id, *texts):
    logs.write(tx, [Entry(job_id, job_id, 1, tx.now, 1, text) for text in texts])


async def test_a_greeting_gives_no_place_and_a_confirmed_subscription_does(live) -> None:
    one = await live().connect()
    assert await one.got("hello") == {"type": "hello"}
    one.ask(subscribe=["jobs"])
    assert (await one.got("subscribed"))["feed"]


async def test_a_subscription_is_confirmed_with_all_topics(live) -> None:
    one = await live().connect()
    one.ask(subscribe=["queue", "logs:7?tree&after=3"])
    assert (await one.got("subscribed"))["topics"] == ["logs:7?tree", "queue"]
    one.ask(subscribe=["jobs"])
    assert (await one.got("subscribed"))["topics"] == ["jobs", "logs:7?tree", "queue"]


async def test_a_new_job_is_told_and_its_end_too(live, db) -> None:
    one = await live().connect("jobs")
    (id_,) = await db.write(create, 1, specs(1))
    assert (await one.got("job", topic="jobs"))["job"]["status"] == "pending"
    await end_all(db)
    await one.until(lambda: one.jobs[id_]["status"] == "completed")


async def test_the_list_tells_top_level_jobs_only(live, db) -> None:
    (root,) = await db.write(create, 1, specs(1, "root"))
    one = await live().connect("jobs")
    await end_all(db, spawn=specs(3))
    await end_all(db)
    await one.until(lambda: one.jobs.get(root, {}).get("status") == "completed")
    assert set(one.jobs) == {root}
    assert one.jobs[root]["counts"] == [3, 3]


async def test_the_topic_of_a_job_tells_itself_and_what_lies_below(live, db) -> None:
    roots = await db.write(create, 1, specs(2, "root"))
    one = await live().connect(f"job:{roots[0]}")
    await end_all(db, spawn=specs(2))
    await one.got("feed")
    told = {m["job"]["id"]: m.get("child", False) for m in one.heard if m["type"] == "job"}
    one.heard.clear()
    children = await db.read(lambda tx: tx.execute("select id, parent_id from job where depth = 1"))
    await end_all(db)
    for id_, parent in children:
        if parent == roots[0]:
            assert (await one.got("job", child=True))["job"]["parent_id"] == roots[0]
    assert roots[1] not in told


async def test_the_topic_of_a_job_in_the_middle_tells_its_own_tree_only(live, db) -> None:
    (root,) = await db.write(create, 1, specs(1, "root"))
    await end_all(db, spawn=specs(2, "middle"))
    rows = await db.read(lambda tx: tx.execute("select id from job where depth = 1 order by id"))
    (left,), (right,) = rows
    one = await live().connect(f"job:{left}")
    await end_all(db, spawn=specs(1))
    await end_all(db)
    await one.until(
        lambda: any(
            m["type"] == "job" and m["job"]["id"] == left and m["job"]["status"] == "completed"
            for m in one.heard
        )
    )
    told = [m["job"] for m in one.heard if m["type"] == "job"]
    assert {job["id"] for job in told} <= {left} | {
        job["id"] for job in told if job["parent_id"] == left
    }
    assert not {root, right} & {job["id"] for job in told}


async def test_too_many_changes_below_a_job_are_told_as_one(live, db) -> None:
    (root,) = await db.write(create, 1, specs(1, "root"))
    one = await live().connect(f"job:{root}")
    await end_all(db, spawn=specs(look.MOST_JOBS + 50))
    assert (await one.got("tree"))["id"] == root
    await one.got("feed")
    assert not [m for m in one.heard if m.get("child")]


async def test_too_many_changes_of_the_list_ask_to_load_it_anew(live, db) -> None:
    one = await live().connect("jobs")
    ids = await db.write(create, 1, specs(look.MOST_JOBS + 1))
    assert (await one.got("reset"))["topic"] == "jobs"
    await one.until(lambda: set(one.jobs) == set(ids))


async def test_a_deleted_job_is_told_as_deleted(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    await end_all(db)
    one = await live().connect("jobs", f"job:{id_}", f"logs:{id_}")
    await actions.delete(db, id_)
    await one.until(
        lambda: (
            {(m["topic"], m["id"]) for m in one.heard if m["type"] == "deleted"}
            == {("jobs", id_), (f"job:{id_}", id_)}
        )
    )


async def test_a_topic_of_a_job_that_is_not_there_says_so_once(live, db) -> None:
    one = await live().connect("job:99")
    one.ask(subscribe=["jobs"])
    await one.until(
        lambda: one.ever[-1] == {**one.ever[-1], "type": "subscribed", "topics": ["jobs"]}
    )
    assert one.ever.count({"type": "deleted", "topic": "job:99", "id": 99}) == 1


async def test_a_job_that_changes_often_is_told_seldom_and_in_the_end_as_it_is(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    (work,) = await db.write(claim, 1, Claim(1, 300 * SECOND))
    one = await live().connect("jobs")
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    while loop.time() - began < 0.8:
        sent += 1
        await db.write(progress, [(work, sent, None, None)])
    await one.until(lambda: one.jobs.get(id_, {}).get("progress") == sent)
    told = [m for m in one.heard if m["type"] == "job"]
    assert sent > 50
    assert len(told) <= 4 * (loop.time() - began) + 2


async def test_nothing_is_lost_between_hello_and_the_subscription(live, db) -> None:
    one = await live().connect()
    await one.got("hello")
    (id_,) = await db.write(create, 1, specs(1))
    one.ask(subscribe=["jobs"])
    await one.until(lambda: id_ in one.jobs)


async def test_what_a_page_did_before_it_connected_is_told_also_where_nobody_listened(
    live, opened
) -> None:
    db = opened.db
    (old,) = await db.write(create, 1, specs(1))
    await end_all(db)
    opened.clock.pass_time(10)
    (id_,) = await db.write(create, 1, specs(1))
    await end_all(db)
    opened.clock.pass_time(1)
    one = await live().connect(f"job:{id_}", f"job:{old}")
    assert (await one.got("job", topic=f"job:{id_}"))["job"]["status"] == "completed"
    assert not [each for each in one.ever if each.get("topic") == f"job:{old}"]


async def test_what_a_page_did_before_it_connected_is_told_though_much_followed_at_once(
    live, opened
) -> None:
    db = opened.db
    (id_,) = await db.write(create, 1, specs(1))
    await end_all(db)
    await db.write(create, 1, specs(2_500))
    opened.clock.pass_time(1)
    one = await live().connect(f"job:{id_}")
    assert [each["job"]["status"] for each in one.ever if each["type"] == "job"] == ["completed"]


async def test_what_changed_while_a_client_was_away_is_told_when_it_is_back(live, db) -> None:
    ids = await db.write(create, 1, specs(3))
    one = await live().connect("jobs")
    await one.drop()
    await end_all(db)
    await actions.delete(db, ids[0])
    again = await live().connect("jobs", resume=one.feed)
    assert {i: job["status"] for i, job in again.jobs.items()} == {
        ids[1]: "completed",
        ids[2]: "completed",
    }
    assert ids[0] in [m["id"] for m in again.ever if m["type"] == "deleted"]
    assert again.resets == 0


async def test_who_was_away_is_told_what_was_deleted(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    await end_all(db)
    one = await live().connect("jobs")
    await one.drop()
    await actions.delete(db, id_)
    again = live()
    again.jobs[id_] = {"id": id_}
    await again.connect("jobs", resume=one.feed)
    assert again.jobs == {}


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZTox", "é", "A" * 500])
async def test_a_cursor_of_another_feed_or_of_none_asks_to_load_anew(live, db, cursor) -> None:
    one = await live().connect()
    one.ask(subscribe=["jobs"], resume={"feed": cursor})
    await one.got("reset")
    await one.got("subscribed")
    (id_,) = await db.write(create, 1, specs(1))
    await one.until(lambda: id_ in one.jobs)


async def test_a_pruned_place_asks_to_load_anew(live, db) -> None:
    one = await live().connect("jobs")
    await one.drop()
    (id_,) = await db.write(create, 1, specs(1))
    (other,) = await db.write(create, 1, specs(1))
    await db.write(lambda tx: feed.prune(tx, tx.now + DAY))
    again = await live().connect("jobs", resume=one.feed)
    assert again.resets == 1
    assert set(again.jobs) == {id_, other}


async def test_a_place_too_far_back_asks_to_load_anew(live, db, monkeypatch) -> None:
    monkeypatch.setattr(look, "MOST_ENTRIES", 5)
    one = await live().connect("jobs")
    await one.drop()
    for _ in range(7):
        await db.write(create, 1, specs(1))
    assert (await live().connect("jobs", resume=one.feed)).resets == 1


async def test_a_client_that_reads_nothing_is_told_to_load_anew_and_slows_nobody(
    live, db, monkeypatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_MESSAGES", 20)
    one, slow = await live().connect("jobs"), await live().connect("jobs")
    slow._task.cancel()
    ids = list(await db.write(create, 1, specs(60)))
    await one.until(lambda: set(one.jobs) == set(ids))
    frame = json.loads(await slow.client.outbox.frame())
    assert frame[0]["type"] == "reset"
    assert slow.client.outbox.resets == 1


async def test_a_frame_ends_with_the_place_that_it_stands_for(live, db, monkeypatch) -> None:
    monkeypatch.setattr(outbox, "FRAME_BYTES", 300)
    one = await live().connect("jobs")
    one._task.cancel()
    await db.write(create, 1, specs(10))
    frames = []
    while not any(m["type"] == "feed" for m in (frames[-1] if frames else [])):
        frames.append(json.loads(await one.client.outbox.frame()))
    assert len(frames) > 1
    assert frames[-1][-1]["type"] == "feed"
    assert not any("feed" in m for each in frames for m in each[:-1] if m["type"] == "job")


async def test_an_unsubscribed_topic_is_silent(live, db) -> None:
    one, other = await live().connect("jobs", "queue"), await live().connect("jobs")
    one.ask(unsubscribe=["jobs"])
    (id_,) = await db.write(create, 1, specs(1))
    await other.until(lambda: id_ in other.jobs)
    assert id_ not in one.jobs


async def test_statistics_are_told_when_they_change_and_only_then(live, db) -> None:
    one = await live().connect("queue")
    assert (await one.got("queue"))["top"]["pending"] == 0
    await db.write(create, 1, specs(2))
    assert (await one.got("queue"))["top"]["pending"] == 2
    other = await live().connect("queue")
    assert (await other.got("queue"))["stats"]["ready"] == 2
    await end_all(db)
    assert (await one.got("queue"))["top"]["completed"] == 2


async def test_who_comes_later_is_told_ages_as_they_are_then(opened) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    ages, again, loop = count(1), asyncio.Event(), asyncio.get_running_loop()

    def queue(_):
        age = next(ages)
        if age > 1:
            loop.call_soon_threadsafe(again.set)
        return {"stats": {"ready": 1, "oldest_ready_seconds": age}}

    async with hubbing(opened.db, dataclasses.replace(plain_views(), queue=queue)) as hub:
        one = await Listener(opened.db, hub).connect("queue")
        assert (await one.got("queue"))["stats"]["oldest_ready_seconds"] == 1
        await again.wait()
        other = await Listener(opened.db, hub).connect("queue")
        assert (await other.got("queue"))["stats"]["oldest_ready_seconds"] > 1
        assert not [each for each in one.heard if each["type"] == "queue"]


@pytest.mark.parametrize(("topic", "kind"), [("queue", "queue"), ("system", "workers")])
async def test_what_is_again_as_it_was_told_is_told_again_if_jobs_changed_meanwhile(
    opened, topic, kind
) -> None:
    """A page that was loaded in between shows what was then."""
    await opened.db.write(open_queue, "quaero_jobs")
    same = dataclasses.replace(plain_views(), queue=lambda _: {"stats": {"ready": 0}})
    async with hubbing(opened.db, same) as hub:
        one = await Listener(opened.db, hub).connect(topic)
        before = await one.got(kind)
        await opened.db.write(create, 1, specs(1))
        await end_all(opened.db)
        assert await one.got(kind) == before


async def test_workers_ride_on_system(live) -> None:
    one = await live().connect("system")
    assert (await one.got("workers"))["workers"] == [{"id": 1}]
    other = await live().connect("system")
    assert (await other.got("health"))["health"] == {"status": "ok"}
    assert (await other.got("schedule"))["schedules"] == []


async def test_new_lines_of_a_log_are_told_in_order_and_old_ones_are_not(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    one = await live().connect(f"logs:{id_}", f"logs:{id_}?tree")
    await db.write(say, id_, "first", "second")
    await one.until(lambda: len({m["topic"] for m in one.heard if m["type"] == "log"}) == 2)
    told = [m for m in one.heard if m["type"] == "log"]
    assert {m["topic"] for m in told} == {f"logs:{id_}", f"logs:{id_}?tree"}
    for each in told:
        assert [line["message"] for line in each["lines"]] == ["first", "second"]
        assert each["gap"] is False


async def test_a_reader_of_a_log_goes_on_after_the_last_line_it_saw(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    other = await live().connect(f"logs:{id_}")
    await db.write(say, id_, "seen", "missed")
    await other.got("log")
    lines = dict(await db.read(lambda tx: tx.execute("select message, id from job_log")))
    one = await live().connect(f"logs:{id_}?after={lines['seen']}")
    await db.write(say, id_, "new")
    await one.until(lambda: len(_messages(one)) >= 2)
    assert _messages(one) == ["missed", "new"]


async def test_a_log_that_cannot_be_read_at_first_is_heard_all_the_same(live, db, monkeypatch):
    (id_,) = await db.write(create, 1, specs(1))
    failures = iter([StorageError("not now")])

    def join(tx, *wanted):
        for error in failures:
            raise error
        return tail.join(tx, *wanted)

    monkeypatch.setattr(hub, "join", join)
    one = await live().connect(f"logs:{id_}")
    await db.write(say, id_, "new")
    await one.until(lambda: _messages(one) == ["new"])


@pytest.mark.parametrize(("topic", "tree"), [("logs:{}", False), ("logs:{}?tree", True)])
async def test_who_follows_a_log_is_told_when_lines_of_it_are_deleted(live, db, topic, tree):
    id_, other = await db.write(create, 1, specs(2))
    await db.write(say, id_, *[f"{n}" for n in range(tail.MOST_LINES + 10)])
    name = topic.format(id_)
    one = await live().connect(name)
    await db.write(say, id_, "heard")
    await one.until(lambda: _messages(one) == ["heard"])
    await actions.delete_logs(db, other, tree=tree)
    await db.write(say, id_, *[f"more {n}" for n in range(tail.MOST_LINES + 10)])
    assert (await one.got("log", gap=True))["topic"] == name
    assert one.resets == 0
    await actions.delete_logs(db, id_, tree=tree)
    assert (await one.got("reset"))["topic"] == name
    await db.write(say, id_, "again")
    await one.until(lambda: _messages(one)[-1:] == ["again"])
    assert one.resets == 1


async def test_the_log_of_a_tree_tells_of_what_one_job_of_it_lost(live, db):
    (root,) = await db.write(create, 1, specs(1, "root"))
    await end_all(db, spawn=specs(1))
    ((child,),) = await db.read(lambda tx: tx.execute("select id from job where depth = 1"))
    one = await live().connect(f"logs:{root}?tree")
    await db.write(lambda tx: logs.write(tx, [Entry(child, root, 1, tx.now, 1, "of the child")]))
    await one.until(lambda: "of the child" in _messages(one))
    await actions.delete_logs(db, child, tree=False)
    assert (await one.got("reset"))["topic"] == f"logs:{root}?tree"


async def test_a_reader_whose_last_line_was_deleted_while_it_was_away_is_told(live, db):
    (id_,) = await db.write(create, 1, specs(1))
    ((seen,),) = await db.read(lambda tx: tx.execute("select max(id) from job_log"))
    one = await live().connect(f"logs:{id_}?after={seen}")
    await db.write(say, id_, "new")
    await one.until(lambda: _messages(one) == ["new"])
    assert one.resets == 0
    await actions.delete_logs(db, id_, tree=True)
    other = await live().connect(f"logs:{id_}?after={seen}")
    assert (await other.got("reset"))["topic"] == f"logs:{id_}"


async def test_of_the_log_of_a_job_that_is_deleted_itself_nothing_is_told(live, db):
    (id_,) = await db.write(create, 1, specs(1))
    one = await live().connect(f"logs:{id_}", f"logs:{id_}?tree", "jobs")
    await actions.delete(db, id_)
    await one.got("deleted")
    (later,) = await db.write(create, 1, specs(1))
    await one.until(lambda: later in one.jobs)
    assert one.resets == 0


def _messages(one):
    return [line["message"] for m in one.heard if m["type"] == "log" for line in m["lines"]]


async def test_a_flood_of_lines_is_cut_with_a_gap_and_long_lines_are_short(live, db) -> None:
    (id_,) = await db.write(create, 1, specs(1))
    one = await live().connect(f"logs:{id_}")
    await db.write(say, id_, *[f"{n}" for n in range(tail.MOST_LINES + 10)], "x" * 100_000)
    told = await one.got("log")
    assert told["gap"] is True
    assert len(told["lines"]) == tail.MOST_LINES
    assert len(told["lines"][-1]["message"]) == tail.LONGEST
    assert [line.get("cut") for line in told["lines"]] == [None] * (tail.MOST_LINES - 1) + [True]


@pytest.mark.parametrize(
    "frame",
    ["", "{", "[]", "7", '{"subscribe": "jobs"}', '{"subscribe": ["nothing"]}', '{"what": 1}',
     '{"subscribe": ["job:0"]}', '{"subscribe": ["job:1?tree"]}', '{"ping": "x"}', b"\xff",
     '{"subscribe": ["logs:1?after=x"]}', '{"subscribe": ["job:1٣"]}', "x" * 70_000],
)  # fmt: skip
async def test_a_frame_that_is_not_understood_is_answered_with_what_is_wrong(live, frame) -> None:
    one = await live().connect()
    one.hub.ask(one.client, frame)
    assert (await one.got("error"))["detail"]
    one.ask(ping=7)
    assert (await one.got("pong"))["n"] == 7


async def test_a_connection_has_at_most_fifty_topics(live) -> None:
    one = await live().connect()
    one.ask(subscribe=[f"job:{n}" for n in range(1, MOST_TOPICS + 2)])
    assert "at most 50" in (await one.got("error"))["detail"]


async def test_at_the_end_everybody_is_told_that_the_server_goes(opened) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    async with hubbing(opened.db) as hub:
        one = await Listener(opened.db, hub).connect("jobs")
    await one._task
    assert one.client.code == GOING_AWAY


async def test_a_client_that_is_cut_is_told_to_come_back_later(live) -> None:
    one = await live().connect("jobs")
    one.hub.cut(one.client)
    assert one.client.code == TRY_AGAIN_LATER
    assert one.hub.clients == 0
    assert one.hub.tally.cut == 1


async def test_a_picture_that_cannot_be_made_stops_nothing(opened, caplog) -> None:
    await opened.db.write(open_queue, "quaero_jobs")
    broken = [True]

    def job(summary, now):
        if broken.pop() if broken else False:
            raise ValueError("no picture")
        return {"id": summary.id}

    async with hubbing(opened.db, dataclasses.replace(plain_views(), job=job)) as hub:
        one = await Listener(opened.db, hub).connect("jobs")
        (id_,) = await opened.db.write(create, 1, specs(1))
        await one.until(lambda: id_ in one.jobs)
    assert "stumbled" in caplog.text
