"""Fetching from real servers on loopback: proper ones, slow ones, broken ones and hostile ones."""

import asyncio
import gzip
import ssl
import time
import zlib
from contextlib import suppress
from email.utils import formatdate
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest

from quaero.crawl.connect import Flight, Spacing, Watch
from quaero.crawl.exchange import MIB
from quaero.crawl.fetch import Fetcher, FetchLimits, FetchRequest, HttpStatus
from quaero.crawl.policy import NetworkPolicy
from quaero.errors import BadInput, Permanent, Refused, RetryLater
from quaero.testing import raw
from quaero.testing.site import Page, SiteServer, redirect

from .crawler import JITTER, gaps

NOW = 1_800_000_000
HERE = NetworkPolicy(seeds={"127.0.0.1": ["127.0.0.1"]})
QUICK = FetchLimits(connect=0.3, headers=0.3, total=0.8, rate=1000, rate_window=0.3)
SMALL = FetchLimits(wire=64 * 1024, decoded=8 * MIB)
SECRET = "s3cret-value"


class FixedClock:
    def wall(self):
        return NOW * 1_000_000


@pytest.fixture
async def fetcher():
    async with Fetcher(clock=FixedClock()) as fetcher:
        yield fetcher


class Echoing:
    """Answers with the path asked for and keeps its connections, whose writers it shows.

    `before` comes before each answer but the first on a connection.
    """

    def __init__(self, before=b""):
        self._before = before
        self.writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                before = self._before if writer in self.writers else b""
                self.writers.append(writer)
                writer.write(before + raw.page(request.split()[1]))
        writer.close()


def ask(url, **more):
    return FetchRequest(url=url, policy=more.pop("policy", HERE), **more)


async def get(fetcher, reply, path="/", **more):
    """Fetch from a server that gives this raw reply."""
    async with raw.RawServer(reply) as server:
        return await fetcher.fetch(ask(server.url + path, **more))


# Proper answers


async def test_a_page_comes_with_its_body_and_the_headers_that_matter(fetcher):
    headers = {
        "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Link": '</main>; rel="canonical", </next>; rel=next',
        "X-Robots-Tag": "noindex",
    }
    page = Page(body="<h1>Grüße</h1>", etag='"v1"', headers=headers)
    async with SiteServer({"/a": page}) as site:
        result = await fetcher.fetch(ask(f"{site.url}/a?q=1#part"))
    assert result.url == f"{site.url}/a?q=1#part"
    assert (result.status, result.body) == (200, "<h1>Grüße</h1>".encode())
    assert (result.remote, result.wire) == ("127.0.0.1", 16)
    assert result.content_type == "text/html; charset=utf-8"
    assert (result.etag, result.last_modified) == ('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert result.canonical == f"{site.url}/main"
    assert (result.robots, result.set_cookie) == (("noindex",), ())
    assert (result.location, result.not_modified) == (None, False)
    assert 0 < result.elapsed < 5


async def test_what_is_asked_names_the_program_and_what_it_can_unpack(fetcher):
    async with SiteServer({"/": "x"}) as site:
        await fetcher.fetch(ask(site.url, headers={"Authorization": "Bearer abc"}))
    (hit,) = site.hits
    assert hit.headers["User-Agent"] == "Quaero/0.1.0"
    assert hit.headers["Accept-Encoding"] == "gzip, deflate"
    assert hit.headers["Authorization"] == "Bearer abc"
    assert "Cookie" not in hit.headers


async def test_an_unchanged_page_is_not_sent_again(fetcher):
    async with SiteServer({"/": Page(body="x", etag='"v1"')}) as site:
        same = await fetcher.fetch(ask(site.url, etag='"v1"', last_modified="yesterday"))
        other = await fetcher.fetch(ask(site.url, etag='"v0"'))
    assert (same.not_modified, same.body, same.etag) == (True, b"", '"v1"')
    assert (other.not_modified, other.body) == (False, b"x")
    assert site.hits[0].headers["If-Modified-Since"] == "yesterday"


async def test_not_modified_without_having_asked_is_an_error(fetcher):
    with pytest.raises(HttpStatus, match="304"):
        await get(fetcher, raw.page(b"", "304 Not Modified"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_returned_and_not_followed(fetcher, status):
    async with SiteServer({"/dir/a": redirect("../b?x=1", status), "/b": "b"}) as site:
        result = await fetcher.fetch(ask(f"{site.url}/dir/a"))
    assert (result.status, result.location) == (status, f"{site.url}/b?x=1")
    assert site.paths() == ["/dir/a"]


@pytest.mark.parametrize(
    ("location", "seen_as"),
    [
        ("//other.example/x", "http://other.example/x"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("/ü", "/%C3%BC"),
        ("/a b", "/a%20b"),
    ],
)
async def test_a_location_is_made_absolute_as_browsers_do_it(fetcher, location, seen_as):
    async with raw.RawServer(raw.page(b"", "302 Found", location=location)) as server:
        result = await fetcher.fetch(ask(server.url))
    assert result.location == (server.url + seen_as if seen_as.startswith("/") else seen_as)


@pytest.mark.parametrize("headers", [{}, {"location": "http://[bad"}])
async def test_a_redirect_to_nowhere_is_an_error(fetcher, headers):
    with pytest.raises(Permanent):
        await get(fetcher, raw.page(b"", "302 Found", **headers))


async def test_connections_are_kept_also_after_redirects_and_errors(fetcher):
    pages = {"/": "x", "/r": redirect("/"), "/e": Page(status=500, body="x" * 9000)}
    async with SiteServer(pages) as site:
        await fetcher.fetch(ask(site.url))
        session = fetcher._session
        kept = set(fetcher._connections._used)
        for path in ("/r", "/e", "/none", "/"):
            with suppress(RetryLater, HttpStatus):
                await fetcher.fetch(ask(site.url + path))
        assert set(fetcher._connections._used) == kept
        assert fetcher._session is session


async def test_of_connections_to_many_hosts_the_last_hundred_are_kept(fetcher):
    opened, open_now, policy = 0, 0, NetworkPolicy(["127.0.0.0/8"])

    async def answer(reader, writer):
        nonlocal opened, open_now
        opened, open_now = opened + 1, open_now + 1
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw.page(b"x"))
        open_now -= 1
        writer.close()

    async with await asyncio.start_server(answer, "0.0.0.0") as server:
        port = server.sockets[0].getsockname()[1]
        for number in range(1, 131):
            await fetcher.fetch(ask(f"http://127.0.0.{number}:{port}/", policy=policy))
        for number in range(130, 30, -1):
            await fetcher.fetch(ask(f"http://127.0.0.{number}:{port}/", policy=policy))
        assert (opened, open_now) == (130, 100)
        await fetcher.close()


async def test_the_connections_to_one_host_can_be_limited():
    async with SiteServer({"/": Page(delay=0.02)}) as site, Fetcher(per_host=2) as fetcher:
        await asyncio.gather(*(fetcher.fetch(ask(site.url)) for _ in range(6)))
    assert site.most_in_flight == 2


async def test_a_body_that_comes_in_pieces_is_taken_whole(fetcher):
    async with SiteServer({"/": Page(body="0123456789abc", pause=0.005)}) as site:
        assert (await fetcher.fetch(ask(site.url))).body == b"0123456789abc"


# Statuses


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 410, 418, 451, 300, 304])
async def test_a_status_that_will_stay_is_permanent_and_tells_its_code(fetcher, status):
    async with SiteServer({"/": Page(status=status)}) as site:
        with pytest.raises(HttpStatus, match=str(status)) as caught:
            await fetcher.fetch(ask(site.url))
    assert caught.value.code == status


@pytest.mark.parametrize("status", [408, 425, 500, 501, 502, 504, 520])
async def test_a_status_that_may_pass_is_worth_another_attempt(fetcher, status):
    async with SiteServer({"/": Page(status=status)}) as site:
        with pytest.raises(RetryLater, match=str(status)) as caught:
            await fetcher.fetch(ask(site.url))
    assert (caught.value.after, caught.value.hold) == (None, False)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "after"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", None),
        ("999999", 3600.0),
        ("9" * 400, 3600.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), None),
        (formatdate(NOW + 9999, usegmt=True), 3600.0),
        ("Friday, 15-Jan-27 08:00:30 GMT", 30.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
async def test_an_overloaded_site_holds_its_lane_for_as_long_as_it_says(
    fetcher, status, retry_after, after
):
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    async with SiteServer({"/": Page(status=status, headers=headers)}) as site:
        with pytest.raises(RetryLater) as caught:
            await fetcher.fetch(ask(site.url))
    assert (caught.value.after, caught.value.hold) == (after, True)


# Encodings


def deflated(data, window):
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


TEXT = b"All that is said twice is said once too often. " * 2000


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("identity, gzip", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT[:5000], mtime=0) + gzip.compress(TEXT[5000:], mtime=0)),
        ("gzip", gzip.compress(TEXT, mtime=0) + gzip.compress(b"", mtime=0)),
        ("gzip", gzip.compress(TEXT, mtime=0) + bytes(100)),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"\x1f"),
        ("deflate", deflated(TEXT, 15)),
        ("deflate", deflated(TEXT, -15)),
        ("deflate", deflated(TEXT, 15) + b"more"),
        ("identity", TEXT),
        ("", TEXT),
    ],
)
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_compressed_bodies_are_unpacked(fetcher, encoding, data, in_pieces):
    answer = raw.page(data, content_encoding=encoding)
    start = len(answer) - len(data)
    first = start + min(len(data) - 1, 301)
    pieces = raw.drip(answer, piece=first if in_pieces else len(answer), pause=0)
    result = await get(fetcher, pieces, limits=FetchLimits(ratio=1000))
    assert result.body == TEXT
    assert result.wire == len(data)


async def test_every_cut_between_two_pieces_gives_the_same_body():
    from quaero.crawl.decode import BodyDecoder

    text = b"two members, fed in two pieces"
    for encoding, data in (
        ("gzip", gzip.compress(text[:9], mtime=0) + gzip.compress(text[9:], mtime=0) + b"\0\0"),
        ("deflate", deflated(text, 15)),
        ("deflate", deflated(text, -15)),
    ):
        for cut in range(len(data) + 1):
            decoder = BodyDecoder(encoding, FetchLimits())
            decoder.feed(data[:cut])
            decoder.feed(data[cut:])
            assert decoder.finish() == text


async def test_an_empty_body_may_be_called_compressed(fetcher):
    assert (await get(fetcher, raw.page(b"", content_encoding="gzip"))).body == b""


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "x" * 999]
)
async def test_an_encoding_that_was_not_asked_for_is_permanent(fetcher, encoding):
    with pytest.raises(Permanent, match="encoding") as caught:
        await get(fetcher, raw.page(b"abc", content_encoding=encoding))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "encoding", ["UTF-8", "none", "binary", "8bit", "ISO-8859-1", "gzip, utf-8"]
)
async def test_what_names_no_compression_is_passed_over(fetcher, encoding):
    body = gzip.compress(b"abc") if "gzip" in encoding else b"abc"
    assert (await get(fetcher, raw.page(body, content_encoding=encoding))).body == b"abc"


async def test_a_transfer_coding_that_was_not_asked_for_is_permanent(fetcher):
    data = gzip.compress(b"abc")
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    with pytest.raises(Permanent, match="not asked for"):
        await get(fetcher, head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_data_that_is_not_in_its_encoding_is_permanent(fetcher, encoding):
    with pytest.raises(Permanent, match="is not"):
        await get(fetcher, raw.page(b"\xff plain text", content_encoding=encoding))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)[:-9]),
        ("gzip", gzip.compress(TEXT, mtime=0)[:1]),
        ("gzip", gzip.compress(b"a", mtime=0) + gzip.compress(TEXT, mtime=0)[:40]),
        ("deflate", deflated(TEXT, 15)[:-5]),
        ("deflate", deflated(TEXT, -15)[:-5]),
        ("deflate", b"\x78"),
        ("gzip", gzip.compress(bytes(range(256)) * 300, 1)[:400] + b"\xff" * 300),
    ],
)
async def test_compressed_data_that_is_cut_or_damaged_is_worth_another_attempt(
    fetcher, encoding, data
):
    with pytest.raises(RetryLater):
        await get(fetcher, raw.page(data, content_encoding=encoding))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", raw.bomb(60 * MIB)),
        ("deflate", raw.bomb(60 * MIB, window=15)),
        ("deflate", raw.bomb(60 * MIB, window=-15)),
        ("gzip", b"".join([raw.bomb(MIB // 2)] * 100)),
    ],
)
async def test_a_bomb_is_refused_after_its_first_steps(fetcher, encoding, data):
    with pytest.raises(Refused, match="100 times") as caught:
        await get(fetcher, raw.page(data, content_encoding=encoding))
    assert caught.value.reason == "size"


async def test_what_grows_slowly_is_refused_at_the_limit_of_its_unpacked_size(fetcher):
    limits = FetchLimits(decoded=2 * MIB, ratio=10_000)
    with pytest.raises(Refused, match="larger than 2 MiB unpacked"):
        await get(fetcher, raw.page(raw.bomb(3 * MIB), content_encoding="gzip"), limits=limits)


async def test_a_small_page_may_be_of_any_ratio(fetcher):
    result = await get(fetcher, raw.page(raw.bomb(MIB), content_encoding="gzip"))
    assert len(result.body) == MIB


# Sizes and hostile bytes


@pytest.mark.parametrize(
    "reply",
    [
        raw.page(bytes(65 * 1024)),
        raw.head(content_length=10**12),
        raw.endless(raw.head(), bytes(4096)),
        raw.endless(raw.head(transfer_encoding="chunked"), raw.chunked(bytes(4096), end=False)),
        raw.endless(raw.head(content_length=10**9), bytes(4096)),
    ],
    ids=["long", "said to be long", "endless", "endless chunks", "endless with length"],
)
async def test_a_body_over_the_limit_is_refused(fetcher, reply):
    with pytest.raises(Refused, match="larger than") as caught:
        await get(fetcher, reply, limits=SMALL)
    assert caught.value.reason == "size"


MANY = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 1000) for n in range(70))


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n" + MANY + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"v" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"v" * 70_000 + b"\r\n\r\n",
        raw.endless(b"HTTP/1.1 200 OK\r\n", b"Set-Cookie: a=" + b"v" * 400 + b"\r\n"),
        raw.endless(b"HTTP/1.1 200 OK\r\nX: ", b"v" * 4096),
        raw.endless(b"HTTP/1.1 200 ", b"v" * 4096),
    ],
    ids=["70 KB", "300 lines", "long line", "long status", "flood", "endless line", "status line"],
)
async def test_headers_without_measure_are_an_error(fetcher, reply):
    with pytest.raises(Permanent):
        await get(fetcher, reply)


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>HTTP/0.9 has no headers</html>",
        b"\x00\x01\x02\xff\xfe\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_what_is_not_http_is_permanent(fetcher, reply):
    with pytest.raises(Permanent, match="not valid HTTP"):
        await get(fetcher, reply)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        raw.head(content_length=100) + b"half",
        raw.head(transfer_encoding="chunked") + raw.chunked(b"half", end=False),
        raw.head(transfer_encoding="chunked") + b"5\r\nhal",
    ],
)
async def test_an_answer_that_breaks_off_is_worth_another_attempt(fetcher, reply):
    with pytest.raises(RetryLater):
        await get(fetcher, reply)


@pytest.mark.parametrize(
    "chunks", [b"zz\r\nwhat\r\n", b"3\r\ntoolong\r\n", b"f" * 17 + b"\r\nx\r\n"]
)
async def test_broken_chunks_are_an_error_and_never_a_page(fetcher, chunks):
    with pytest.raises((Permanent, RetryLater)):
        await get(fetcher, raw.head(transfer_encoding="chunked") + chunks + raw.chunked())


async def test_a_site_that_drops_a_request_is_asked_once(fetcher):
    async with raw.RawServer(b"") as server:
        with pytest.raises(RetryLater, match="without an answer"):
            await fetcher.fetch(ask(server.url))
        assert len(server.requests) == 1


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(fetcher):
    pages = {"/": "x", "/drop": [Page(drop=True), Page(body="second")]}
    async with SiteServer(pages) as site:
        await fetcher.fetch(ask(site.url))
        result = await fetcher.fetch(ask(f"{site.url}/drop"))
    assert result.body == b"second"


async def test_bytes_after_the_end_are_not_the_next_answer(fetcher):
    smuggled = raw.page(b"first") + raw.page(b"smuggled")
    async with raw.RawServer(smuggled) as server:
        for _ in range(2):
            assert (await fetcher.fetch(ask(server.url))).body == b"first"


async def test_what_comes_unasked_on_an_idle_connection_is_not_the_next_answer(fetcher):
    async with SiteServer({"/": "meanwhile"}) as other, Echoing() as server:
        await fetcher.fetch(ask(f"{server.url}/a"))
        server.writers[0].write(raw.page(b"unasked"))
        await fetcher.fetch(ask(other.url))
        result = await fetcher.fetch(ask(f"{server.url}/b"))
    assert result.body == b"/b"
    assert server.writers[0] is not server.writers[1]


async def test_what_an_answer_left_on_a_kept_connection_costs_the_next_one_an_attempt(fetcher):
    async with Echoing(b"left over") as server:
        await fetcher.fetch(ask(f"{server.url}/a"))
        with pytest.raises(RetryLater, match="not valid HTTP"):
            await fetcher.fetch(ask(f"{server.url}/b"))
        assert (await fetcher.fetch(ask(f"{server.url}/b"))).body == b"/b"


async def test_answers_that_come_before_the_one_asked_for_are_not_gathered(fetcher):
    sent = 0

    async def flood(reader, writer):
        nonlocal sent
        hints = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000
        with suppress(ConnectionError):
            while True:
                writer.write(hints)
                await writer.drain()
                sent += len(hints)

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Permanent, match="not valid HTTP"):
        await fetcher.fetch(ask(f"http://127.0.0.1:{port}/"))
    server.close()
    assert sent < 30_000_000
    hinted = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + raw.page(b"the page")
    assert (await get(fetcher, hinted)).body == b"the page"


async def test_received_header_values_are_clean_text(fetcher):
    answer = b"HTTP/1.1 200 OK\r\nETag: \xe4\xff\r\nContent-Type: text/\xc3\xbc\r\n"
    result = await get(fetcher, answer + b"Content-Length: 0\r\n\r\n")
    assert (result.etag, result.content_type) == ("äÿ", "text/ü")


# Time


@pytest.mark.parametrize(
    ("reply", "waits_for"),
    [
        (raw.silence(), "an answer"),
        (raw.silence(b"HTTP/1.1 200 OK\r\nX: y"), "an answer"),
        (raw.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 999), "an answer"),
        (raw.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 999), "an answer"),
        (raw.silence(raw.head(content_length=10) + b"half"), "the body"),
        (raw.drip(raw.head(content_length=9999) + bytes(9999), piece=5), "the body"),
        (raw.drip(raw.head(content_length=999999) + bytes(999999), piece=400), "the body"),
    ],
    ids=["silent", "no end", "header drip", "continues", "stalled", "body drip", "too long"],
)
async def test_a_slow_site_is_left_in_time(fetcher, reply, waits_for):
    started = time.monotonic()
    with pytest.raises(RetryLater, match=f"waiting for {waits_for}"):
        await get(fetcher, reply, limits=QUICK)
    assert time.monotonic() - started < 1.5


async def test_a_body_at_the_least_rate_is_taken_to_its_end(fetcher):
    answer = raw.head(content_length=1600) + bytes(1600)
    limits = FetchLimits(rate=500, rate_window=0.4)
    result = await get(fetcher, raw.drip(answer, piece=100, pause=0.03), limits=limits)
    assert result.wire == 1600
    assert result.elapsed > limits.rate_window


async def test_a_slow_name_server_counts_as_connecting():
    async def never(host):
        await asyncio.Event().wait()

    async with Fetcher(lookup=never) as fetcher:
        with pytest.raises(RetryLater, match="waiting for the connection"):
            await fetcher.fetch(ask("http://site.example/", limits=QUICK))


async def test_a_cancelled_fetch_is_cancelled_at_once(fetcher):
    async with raw.RawServer(raw.silence()) as server:
        task = asyncio.create_task(fetcher.fetch(ask(server.url)))
        while not server.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_watch_rests_when_nothing_is_under_way(fetcher):
    async with SiteServer({"/": "x"}) as site:
        await fetcher.fetch(ask(site.url))
    watch: Watch = fetcher._watch
    assert not watch._flights
    watch._look()
    assert watch._next is None


# Refusals before anything is sent


@pytest.mark.parametrize(
    "url",
    [
        "ftp://site.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "site.example/",
        "http://",
        "http://[::1",
        "http://a b/",
        f"http://user:{SECRET}@site.example/",
        f"http://:{SECRET}@site.example/",
        "http://site.example/" + "a" * 9000,
        "http://site.example/" + "ü" * 3000,
    ],
)
async def test_what_is_no_web_address_is_refused(fetcher, url):
    with pytest.raises(Refused) as caught:
        await fetcher.fetch(ask(url))
    assert caught.value.reason == "url"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost"],
)
async def test_however_an_inside_address_is_written_it_is_refused(fetcher, host):
    async with SiteServer({"/": "x"}) as site:
        port = site.url.rpartition(":")[2]
        with pytest.raises(Refused) as caught:
            await fetcher.fetch(ask(f"http://{host}:{port}/", policy=NetworkPolicy()))
    assert caught.value.reason == "network"
    assert site.hits == []


async def test_a_name_that_changes_its_address_gains_nothing():
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]])

    async def rebinding(host):
        return next(answers)

    policy = NetworkPolicy(seeds={"site.example": ["127.0.0.1"]})
    async with SiteServer({"/": "x"}) as site:
        url = site.url.replace("127.0.0.1", "site.example")
        for expected in (None, "network", None):
            async with Fetcher(lookup=rebinding) as fetcher:
                if expected is None:
                    assert (await fetcher.fetch(ask(url, policy=policy))).remote == "127.0.0.1"
                else:
                    with pytest.raises(Refused):
                        await fetcher.fetch(ask(url, policy=policy))
    assert len(site.hits) == 2


async def test_of_several_addresses_only_the_allowed_one_is_connected_to():
    async def several(host):
        return ["127.0.0.3", "127.0.0.2", "127.0.0.1"]

    policy = NetworkPolicy(seeds={"site.example": ["127.0.0.2"]})
    async with SiteServer({"/": "x"}, host="127.0.0.2") as site, Fetcher(lookup=several) as fetcher:
        url = site.url.replace("127.0.0.2", "site.example")
        assert (await fetcher.fetch(ask(url, policy=policy))).remote == "127.0.0.2"


async def test_a_kept_connection_of_one_crawl_is_not_open_to_another(fetcher):
    async with SiteServer({"/": "x"}) as site:
        url = site.url.replace("127.0.0.1", "localhost")
        allowed = NetworkPolicy(seeds={"localhost": ["127.0.0.1"]})
        await fetcher.fetch(ask(url, policy=allowed))
        with pytest.raises(Refused):
            await fetcher.fetch(ask(url, policy=NetworkPolicy()))
        assert len(site.hits) == 1


async def test_a_refused_type_is_not_downloaded(fetcher):
    seen = []

    def accept(content_type):
        seen.append(content_type)
        return False

    reply = raw.endless(raw.head(content_type="video/mp4"), bytes(4096))
    with pytest.raises(Refused, match="video/mp4") as caught:
        await get(fetcher, reply, accept=accept)
    assert (caught.value.reason, seen) == ("content-type", ["video/mp4"])
    with pytest.raises(Refused, match="unknown"):
        await get(fetcher, raw.page(b"x"), accept=accept)
    assert (await get(fetcher, raw.page(b"x"), accept=lambda kind: kind is None)).body == b"x"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Token": f"{SECRET}\r\nX-More: 1"},
        {"X-Token": f"{SECRET}\0"},
        {"Cookie": f"a={SECRET}\n"},
        {f"{SECRET}: x": "y"},
        {"Host": SECRET},
        {"Transfer-Encoding": SECRET},
    ],
)
async def test_a_header_that_cannot_be_sent_is_refused_without_its_value(fetcher, headers):
    async with SiteServer({"/": "x"}) as site:
        with pytest.raises(BadInput) as caught:
            await fetcher.fetch(ask(site.url, headers=headers))
        with pytest.raises(BadInput):
            await fetcher.fetch(ask(site.url, etag="a\r\nb"))
    assert SECRET not in str(caught.value)
    assert site.hits == []


async def test_no_error_repeats_what_the_site_or_the_user_keeps_secret(fetcher):
    replies = [
        f"HTTP/1.1 200 OK\r\nSet-Cookie: sid={SECRET}\x00\r\n\r\n".encode(),
        f"HTTP/1.1 {SECRET}\r\n\r\n".encode(),
        raw.page(b"", "403 Forbidden", set_cookie=f"sid={SECRET}"),
        raw.head(set_cookie=SECRET, content_length=9),
        raw.page(b"x", content_encoding="gzip", set_cookie=SECRET),
    ]
    request = ask("http://127.0.0.1/", headers={"Cookie": SECRET})
    assert SECRET not in repr(request)
    for reply in replies:
        with pytest.raises((Permanent, RetryLater)) as caught:
            await get(fetcher, reply, headers={"Authorization": SECRET})
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


# Connections that fail, and certificates


async def test_a_refused_connection_is_worth_another_attempt(fetcher):
    async with raw.RawServer(b"") as server:
        pass
    with pytest.raises(RetryLater, match=r"no connection to 127\.0\.0\.1"):
        await fetcher.fetch(ask(server.url))


async def test_a_server_that_does_not_speak_tls_is_worth_another_attempt(fetcher):
    async with SiteServer({"/": "plain"}) as site:
        with pytest.raises(RetryLater, match="TLS"):
            await fetcher.fetch(ask(site.url.replace("http:", "https:")))


async def test_a_certificate_that_nobody_vouches_for_is_permanent(fetcher, tls):
    async with raw.RawServer(raw.page(b"x"), tls=tls) as server:
        with pytest.raises(
            Permanent, match=r"certificate of 127\.0\.0\.1 is not accepted: self"
        ) as e:
            await fetcher.fetch(ask(server.url))
        assert not isinstance(e.value, Refused)
        assert server.requests == []


async def test_a_certificate_that_the_system_trusts_is_accepted(tls, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with raw.RawServer(raw.page(b"x"), tls=tls) as server, Fetcher() as fetcher:
        assert (await fetcher.fetch(ask(server.url))).body == b"x"


@pytest.fixture
def tls(tmp_path):
    (tmp_path / "cert.pem").write_text(CERTIFICATE)
    (tmp_path / "key.pem").write_text(KEY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


# A key for these tests alone, and its own certificate for 127.0.0.1 and localhost.
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQguTzPx/RZn1BGqjvP
qLI1bUsQ6oCdImjw4pY2ji+unXihRANCAAScSbMNYbOZPm+Cb9orOnewpZngwm3A
7uMbPaRkKAjnwflmTayjoKyIpXypJ119ZaTPxbE8eeXUhkdaEAfkH/4G
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBnzCCAUWgAwIBAgIUPn5rMuwrr5yLk9hQvgLxgE34AI4wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLcXVhZXJvIHRlc3QwIBcNMjYxMTIyMDcxNzI0WhgPMjEyNjEw
MjkwNzE3MjRaMBYxFDASBgNVBAMMC3F1YWVybyB0ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEnEmzDWGzmT5vgm/aKzp3sKWZ4MJtwO7jGz2kZCgI58H5Zk2s
o6CsiKV8qSddfWWkz8WxPHnl1IZHWhAH5B/+BqNvMG0wHQYDVR0OBBYEFMFeAhnT
a+uqFkxVejd7HStWLSeaMB8GA1UdIwQYMBaAFMFeAhnTa+uqFkxVejd7HStWLSea
MA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MAoG
CCqGSM49BAMCA0gAMEUCIC/19mmOTFjUrIdOQXXX9X0AaC5Frk+mRJDwNFPKErHq
AiEAzKnw/ZprOYnBguWFV4idIMJr6aDGFQiSjbokmgCnIMo=
-----END CERTIFICATE-----
"""


# Spacing


async def test_requests_to_a_host_are_written_as_far_apart_as_they_ask(fetcher):
    async with SiteServer({"/": "x"}) as one, SiteServer({"/": "x"}) as two:
        asks = [ask(f"{site.url}/", interval=0.2) for site in (one, two) for _ in range(4)]
        async with asyncio.timeout(5):
            await asyncio.gather(*(fetcher.fetch(each) for each in asks))
    for site in (one, two):
        assert len(site.hits) == 4
        assert min(gaps(site.hits)) >= 0.2 - JITTER
    assert two.hits[0].started < one.hits[1].started, "hosts do not wait for one another"


async def test_a_request_that_was_written_late_is_not_followed_too_soon():
    spacing, loop, written = Spacing(), asyncio.get_running_loop(), []

    async def write() -> None:
        flight = cast(
            "Flight", SimpleNamespace(url="http://a.example/", request=ask("", interval=0.1))
        )
        await spacing.keep(flight)
        written.append(loop.time())

    writes = [asyncio.create_task(write()) for _ in range(4)]
    await asyncio.sleep(0.05)
    time.sleep(0.13)
    await asyncio.gather(*writes)
    assert min(later - sooner for sooner, later in pairwise(written)) >= 0.1 - 1e-6


async def test_a_request_is_not_held_where_it_should_have_waited_in_its_lane(fetcher):
    """What lies beyond a moment is for lanes to keep: a slot is no place to wait an hour in."""
    async with SiteServer({"/": "x"}) as site:
        await fetcher.fetch(ask(f"{site.url}/", interval=3600))
        await fetcher.fetch(ask(f"{site.url}/", interval=3600))
    assert 0.95 < gaps(site.hits)[0] < 60
