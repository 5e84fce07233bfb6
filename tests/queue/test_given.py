"""What a mistake in calling the queue is answered with, before anything is written."""

import datetime as dt
from functools import partial

import pytest

from quaero.errors import BadInput, NotFound
from quaero.queue import Lane, NewMessage, Queue
from quaero.queue.handler import consuming
from quaero.queue.queue import open_queue

HOUR = dt.timedelta(hours=1)
LOOP: list[object] = []
LOOP.append(LOOP)


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError

    __str__ = __repr__


@pytest.fixture
def mail(opened):
    return Queue.open(opened.db, "mail")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"payload": object()}, "the payload cannot be written as JSON"),
        ({"payload": LOOP}, "the payload cannot be written as JSON"),
        ({"payload": "\ud800"}, "the payload cannot be written as JSON"),
        ({"payload": {(1, 2): 3}}, "the payload cannot be written as JSON"),
        ({"priority": 1.5}, "priority 1.5 must be a whole number"),
        ({"priority": True}, "priority True must be a whole number"),
        ({"priority": ""}, "priority '' must be a whole number"),
        ({"priority": None}, "priority None must be a whole number"),
        ({"priority": 2**63}, "priority 9223372036854775808 must be a whole number"),
        ({"delay": HOUR}, r"delay datetime.timedelta\(seconds=3600\) must be a number of seconds"),
        ({"delay": "5s"}, "delay '5s' must be a number of seconds"),
        ({"delay": None}, "delay None must be a number of seconds"),
        ({"delay": float("nan")}, "delay nan must be a number of seconds"),
        ({"type": 5}, "type 5 must be text"),
        ({"type": "\ud800"}, "type '.ud800' must be text"),
        ({"lane": "ann"}, r"lane 'ann' must be a Lane, such as Lane\('ann'"),
        ({"lane": Lane("a", 2**70)}, "max_running of lane 'a' 1180591620717411303424 must be"),
        ({"lane": Lane("a", 1, 0.5)}, "min_interval of lane 'a', in microseconds, 0.5 must be"),
        ({"lane": Lane(None)}, "the key of a lane None must be text"),
        ({"dedup": 5}, "dedup 5 must be text"),
        ({"dedup": "a\0b"}, "dedup 'a.x00b' must be text without NUL"),
        ({"lane": Unshowable()}, "lane <Unshowable> must be a Lane"),
    ],
)
def test_what_cannot_be_sent_is_named(opened, mail, options, says):
    with pytest.raises(BadInput, match=says):
        opened.write(mail.send, **options)
    assert opened.read(mail.stats).ready == 0


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"a": 1}, r"{'a': 1} is no NewMessage; make one with queue.message"),
        (NewMessage("m", "not json"), r"'not json' is no JSON text; queue.message\(payload\)"),
        (NewMessage("m", {"a": 1}), "the payload {'a': 1} is no JSON text"),
        (NewMessage({"a": 1}), "type {'a': 1} must be text"),
        (NewMessage("m", priority=1.5), "priority 1.5"),
        (NewMessage("m", delay=-1), "delay in microseconds -1 must be at least 0"),
        (NewMessage("m", delay=1.5), "delay in microseconds 1.5 must be a whole number"),
        (NewMessage("m", at=HOUR), "at, a wall time in microseconds"),
        (NewMessage("m", job_id=-1), "job_id -1 must be at least 0"),
        (NewMessage("m", lane="ann"), "lane 'ann' must be a Lane"),
        (NewMessage("m", dedup=1), "dedup 1 must be text"),
    ],
)
def test_one_message_that_cannot_be_sent_keeps_all_of_them_back(opened, mail, message, says):
    with pytest.raises(BadInput, match=says):
        opened.write(mail.send_many, [NewMessage("m"), message])
    assert opened.read(mail.stats).ready == 0


def test_messages_for_many_are_made_of_what_one_is_sent_with(opened, mail):
    opened.write(
        mail.send_many, (mail.message({"n": n}, type="t", priority=n, delay=0) for n in range(3))
    )
    received = opened.write(mail.receive, 3)
    assert [(m.payload, m.type) for m in received] == [(f'{{"n":{n}}}', "t") for n in (2, 1, 0)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": ""}, "'' is no queue name"),
        ({"name": 5}, "5 is no queue name"),
        ({"visibility_timeout": 0}, "visibility_timeout 0 must be more than 0 s"),
        ({"visibility_timeout": 1e-9}, "visibility_timeout 1e-09 must be more than 0 s"),
        ({"visibility_timeout": "5m"}, "visibility_timeout '5m' must be a number of seconds"),
        ({"visibility_timeout": HOUR}, "must be a number of seconds"),
        ({"visibility_timeout": float("inf")}, "visibility_timeout inf"),
        ({"max_receive": 0}, "max_receive 0 must be at least 1"),
        ({"max_receive": 1.5}, "max_receive 1.5 must be a whole number"),
        ({"max_receive": "3"}, "max_receive '3' must be a whole number"),
    ],
)
def test_a_queue_that_cannot_be_is_not_made(opened, options, says):
    with pytest.raises(BadInput, match=says):
        Queue.open(opened.db, **{"name": "other", **options})
    assert opened.sql("select 1 from queue where name = 'other'") == []


def test_a_queue_is_opened_in_a_database(tmp_path):
    with pytest.raises(BadInput, match=r"is no open database; give what SqliteDatabase.open"):
        Queue.open(tmp_path / "q.db", "mail")


def test_a_verb_called_by_itself_says_what_runs_it(opened, mail):
    opened.write(mail.send, 1)
    (delivery,) = opened.write(mail.receive)
    for verb in ("send", "send_many", "receive", "complete", "extend", "release", "dead_letter"):
        call = partial(getattr(mail, verb), opened.db)
        arguments = {"dead_letter": (delivery, "x"), "release": (delivery,), "send_many": ([],)}
        with pytest.raises(BadInput, match=rf"run it with db.write_sync\(queue.{verb}"):
            call(*arguments.get(verb, ()))
    with pytest.raises(BadInput, match=r"complete got Delivery\(.* in place of a transaction"):
        mail.complete(delivery)
    assert opened.read(mail.stats).in_flight == 1


@pytest.mark.parametrize("verb", ["complete", "extend", "release"])
@pytest.mark.parametrize("given", [None, 5, (1, 1), [1], "x"])
def test_only_what_was_received_is_settled(opened, mail, verb, given):
    with pytest.raises(BadInput, match="is no delivery; give what receive returned"):
        opened.write(getattr(mail, verb), given)


@pytest.mark.parametrize("limit", [0, -1, None, "5", 1.5, True, 2**70])
def test_a_limit_is_a_whole_number_from_one_on(opened, mail, limit):
    with pytest.raises(BadInput, match="limit"):
        opened.write(mail.receive, limit)


def test_dead_letters_are_requeued_by_their_ids(opened, mail):
    opened.write(mail.send)
    opened.write(mail.dead_letter, opened.write(mail.receive)[0], "no")
    (dead,) = opened.read(mail.dead)
    with pytest.raises(BadInput, match="the id of a dead letter DeadLetter"):
        opened.write(mail.requeue, dead)
    with pytest.raises(NotFound):
        opened.write(mail.requeue, dead.id + 1)
    assert opened.write(mail.requeue, dead.id) == 1


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("why"), "ValueError: why"),
        (ValueError(), "ValueError"),
        ("half \ud800 and \0", "half \\ud800 and \\x00"),
        (Unshowable(), "<Unshowable that cannot be shown: ValueError>"),
    ],
)
def test_any_error_can_be_kept_with_a_dead_letter(opened, mail, error, kept):
    opened.write(mail.send)
    opened.write(mail.release, opened.write(mail.receive)[0], error=error, delay=0)
    opened.write(mail.dead_letter, opened.write(mail.receive)[0], error)
    (dead,) = opened.read(mail.dead)
    assert [text for _, _, text in dead.errors] == [kept, kept]


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": "5"},
        {"concurrency": 1.5},
        {"poll_interval": 0},
        {"poll_interval": "1s"},
        {"grace": -1},
        {"grace": None},
        {"handler": 5},
        {"queue": "mail"},
    ],
)
async def test_consuming_that_could_not_work_is_not_begun(opened, options):
    async def handle(_: object) -> None:
        raise AssertionError

    queue = Queue(await opened.db.write(open_queue, "mail"), "mail")
    given = {"queue": queue, "handler": handle, **options}
    with pytest.raises(BadInput):
        async with consuming(opened.db, **given):
            raise AssertionError
