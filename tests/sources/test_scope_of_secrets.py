"""No secret leaves its site, and none is withheld: a table of crawls against servers that record.

Each case is a stored login and a chain of redirects over names, ports and schemes; of every hop it
is said what it may carry: the cookie (c), the token (t), the user agent (u). All cases are crawled
by one worker, as the program crawls. Names are those of a look-up made for this, and lead to
servers on this machine.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quaero.app import open_logins, worker
from quaero.clock import SystemClock
from quaero.crawl import fetch
from quaero.crawl.cookies import Cookie
from quaero.crawl.payloads import Crawl
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec
from quaero.jobs.read import summaries
from quaero.settings import Settings
from quaero.settings.model import AuthSettings, CrawlSettings, QueueSettings, WorkSettings
from quaero.sources.capture import Capture

ADDRESSES = ("127.0.0.1", "127.0.0.2")
LONGEST = 60.0
AGENT = "Mozilla/5.0 (the login's own)"
PAST, FUTURE = 1_000_000, 4_000_000_000 * 1_000_000
NAMES = [
    "example.org", "*.example.org", "*.a.example.org", "evil.example", "*.evil.example",
    "badexample.org", "example.co.uk", "*.co.uk", "*.example.co.uk", "*.github.io", "localhost", "*.wiki.example.org",
    "*.me.github.io",
    "*.localhost", "wiki", "intranet", "example.org.evil.example",
]  # fmt: skip


@dataclass(frozen=True)
class Hop:
    """An address, what a request for it carries, and what its answer sets."""

    url: str
    carries: str
    sets: str = ""


@dataclass(frozen=True)
class Case:
    base: str
    cookie: dict[str, Any] | None
    hops: tuple[Hop, ...]
    token: bool = True


def case(base: str, *hops: tuple[str, ...], token: bool = True, **cookie: Any) -> Case:
    """A case whose cookie has these properties; with `none` there is only the token."""
    given = None if cookie.pop("none", False) else cookie
    return Case(base, given, tuple(Hop(*hop) for hop in hops), token)


A, B, S, T = "{a}", "{b}", "{s}", "{t}"  # ports: two of http, two of https
WIKI = f"https://wiki.example.org:{S}/"
PLAIN = f"http://wiki.example.org:{A}/"
HOME = f"http://127.0.0.1:{A}/"
LOCAL = f"http://localhost:{A}/"
OVER = {"domain": ".example.org", "host_only": False}

CASES = [
    # the host, host-only
    case(WIKI, (WIKI, "ctu")),
    case(WIKI, (WIKI + "deep/er", "ctu")),
    case(WIKI, (f"https://example.org:{S}/", "tu")),
    case(WIKI, (f"https://x.wiki.example.org:{S}/", "tu")),
    case(WIKI, (f"https://jira.example.org:{S}/", "tu")),
    case(WIKI, (f"https://WIKI.Example.ORG:{S}/", "ctu")),
    case(WIKI, (f"https://wiki.example.org.:{S}/", "ctu")),
    case(WIKI, ("https://evil.example:{s}/", "")),
    case(WIKI, (f"https://badexample.org:{S}/", "")),
    case(WIKI, (f"https://example.org.evil.example:{S}/", "")),
    case(WIKI, (f"https://127.0.0.1:{S}/", "")),
    case(WIKI, (f"https://wiki:{S}/", "")),
    # the domain
    case(WIKI, (WIKI, "ctu"), **OVER),
    case(WIKI, (f"https://example.org:{S}/", "ctu"), **OVER),
    case(WIKI, (f"https://jira.example.org:{S}/", "ctu"), **OVER),
    case(WIKI, (f"https://b.a.example.org:{S}/", "ctu"), **OVER),
    case(WIKI, (f"https://badexample.org:{S}/", ""), **OVER),
    case(WIKI, (f"https://example.org.evil.example:{S}/", ""), **OVER),
    case(WIKI, (f"https://jira.example.org:{S}/", "ctu"), domain="jira.example.org"),
    case(WIKI, (WIKI, "tu"), domain="jira.example.org"),
    case(
        f"https://b.a.example.org:{S}/", (f"https://c.a.example.org:{S}/", "ctu"),
        domain="a.example.org", host_only=False,
    ),
    case(
        f"https://b.a.example.org:{S}/", (f"https://example.org:{S}/", "tu"),
        domain="a.example.org", host_only=False,
    ),
    # public suffixes
    case(f"https://a.example.co.uk:{S}/", (f"https://b.example.co.uk:{S}/", "tu")),
    case(f"https://a.example.co.uk:{S}/", (f"https://other.co.uk:{S}/", "")),
    case(f"https://me.github.io:{S}/", (f"https://me.github.io:{S}/", "ctu")),
    case(f"https://me.github.io:{S}/", (f"https://you.github.io:{S}/", "")),
    case(
        f"https://me.github.io:{S}/", (f"https://x.me.github.io:{S}/", "ctu"),
        domain="me.github.io", host_only=False,
    ),
    # ports: a name's do not matter, an address's and localhost's do
    case(WIKI, (f"https://wiki.example.org:{T}/", "ctu")),
    case(PLAIN, (f"http://wiki.example.org:{B}/", "ctu")),
    case(HOME, (HOME, "ctu")),
    case(HOME, (f"http://127.0.0.1:{B}/", "")),
    case(HOME, (f"https://127.0.0.1:{S}/", "")),
    case(HOME, (f"http://127.0.0.2:{A}/", "")),
    case(HOME, (LOCAL, "")),
    case(HOME, (f"http://127.1:{A}/", "ctu")),
    case(HOME, (f"http://2130706433:{A}/", "ctu")),
    case(HOME, (f"http://wiki.example.org:{A}/", "")),
    case(LOCAL, (LOCAL, "ctu")),
    case(LOCAL, (f"http://localhost:{B}/", "")),
    case(LOCAL, (HOME, "")),
    case(LOCAL, (f"http://x.localhost:{A}/", "")),
    case(f"http://x.localhost:{A}/", (f"http://x.localhost:{A}/", "ctu")),
    case(f"http://x.localhost:{A}/", (f"http://x.localhost:{B}/", "")),
    case(f"http://x.localhost:{A}/", (f"http://y.localhost:{A}/", "")),
    case(LOCAL, (LOCAL, "ctu"), domain=".localhost", host_only=False),
    case(LOCAL, (f"http://x.localhost:{A}/", ""), domain=".localhost", host_only=False),
    case(f"http://wiki:{A}/", (f"http://wiki:{A}/", "ctu")),
    case(f"http://wiki:{A}/", (f"http://intranet:{A}/", "")),
    case(f"http://wiki:{A}/", (f"http://wiki.example.org:{A}/", "")),
    # schemes
    case(WIKI, (PLAIN, "cu")),
    case(WIKI, (PLAIN, "u"), secure=True),
    case(WIKI, (WIKI, "ctu"), secure=True),
    case(PLAIN, (WIKI, "ctu")),
    case(PLAIN, (WIKI, "ctu"), secure=True),
    case(PLAIN, (PLAIN, "tu"), secure=True),
    case(LOCAL, (LOCAL, "tu"), secure=True),
    # paths
    case(WIKI, (WIKI + "app", "ctu"), path="/app"),
    case(WIKI, (WIKI + "app/", "ctu"), path="/app"),
    case(WIKI, (WIKI + "app/x", "ctu"), path="/app"),
    case(WIKI, (WIKI + "apple", "tu"), path="/app"),
    case(WIKI, (WIKI, "tu"), path="/app"),
    case(WIKI, (WIKI + "App", "tu"), path="/app"),
    case(WIKI, (WIKI + "app/x", "ctu"), path="/app/"),
    case(WIKI, (WIKI + "app", "tu"), path="/app/"),
    case(WIKI, (WIKI + "x/../app/y", "ctu"), path="/app"),
    case(WIKI, (WIKI + "app/../x", "tu"), path="/app"),
    # expiry
    case(WIKI, (WIKI, "ctu"), expires=FUTURE),
    case(WIKI, (WIKI, "tu"), expires=PAST),
    # one of the two alone
    case(WIKI, (WIKI, "tu"), none=True),
    case(WIKI, (WIKI, "cu"), token=False),
    # redirects
    case(WIKI, (WIKI + "1", "ctu"), (WIKI + "2", "ctu")),
    case(WIKI, (WIKI, "ctu"), (f"https://evil.example:{S}/", "")),
    case(WIKI, (WIKI, "ctu"), (f"https://evil.example:{S}/", ""), (WIKI + "back", "ctu")),
    case(WIKI, (f"https://evil.example:{S}/", ""), (WIKI, "ctu")),
    case(WIKI, (WIKI, "ctu"), (f"https://jira.example.org:{S}/", "tu"), (WIKI + "b", "ctu")),
    case(WIKI, (WIKI, "ctu"), (f"https://jira.example.org:{S}/", "ctu"), **OVER),
    case(WIKI, (WIKI, "ctu"), (PLAIN, "u"), (WIKI + "back", "ctu"), secure=True),
    case(WIKI, (PLAIN, "cu"), (WIKI, "ctu")),
    case(WIKI, (WIKI + "app", "ctu"), (WIKI + "other", "tu"), (WIKI + "app/2", "ctu"), path="/app"),
    case(HOME, (HOME, "ctu"), (f"http://127.0.0.1:{B}/", ""), (HOME + "back", "ctu")),
    case(HOME, (HOME, "ctu"), (f"http://127.0.0.2:{A}/", ""), (LOCAL, "")),
    case(LOCAL, (LOCAL, "ctu"), (f"http://localhost:{B}/", "")),
    case(
        f"https://me.github.io:{S}/", (f"https://me.github.io:{S}/", "ctu"),
        (f"https://you.github.io:{S}/", ""),
    ),
    case(WIKI, (WIKI, "ctu"), (f"https://wiki.example.org:{T}/", "ctu"), (PLAIN, "cu")),
    # what sites set (n is a cookie of that name)
    case(WIKI, (WIKI, "ctu", "n=1; Path=/"), (WIKI + "2", "cntu")),
    case(WIKI, (WIKI, "ctu", "n=1; Path=/; Domain=example.org"), (f"https://jira.example.org:{S}/", "tu")),
    case(WIKI, (WIKI, "ctu", "n=1; Path=/; Secure"), (PLAIN, "cu"), (WIKI + "b", "cntu")),
    case(WIKI, (f"https://evil.example:{S}/", "", "n=1; Path=/; Domain=example.org"), (WIKI, "ctu")),
    case(WIKI, (f"https://evil.example:{S}/", "", "c=evil; Path=/; Domain=example.org"), (WIKI, "ctu")),
    case(WIKI, (f"https://evil.example:{S}/", "", "n=1; Path=/"), (WIKI, "ctu"), (f"https://evil.example:{S}/2", "n")),
    case(WIKI, (WIKI, "ctu", "c=; Path=/; Max-Age=0"), (WIKI + "2", "tu")),
    case(WIKI, (WIKI + "x/", "ctu", "n=1"), (WIKI + "y/", "ctu"), (WIKI + "x/2", "cntu")),
    case(HOME, (HOME, "ctu", "n=1; Path=/"), (f"http://127.0.0.1:{B}/", ""), (HOME + "2", "cntu")),
    case(HOME, (f"http://127.0.0.1:{B}/", "", "c=evil; Path=/"), (HOME, "ctu")),
    case(LOCAL, (LOCAL, "ctu", "n=1; Path=/"), (f"http://localhost:{B}/", ""), (LOCAL + "2", "cntu")),
    case(WIKI, (PLAIN, "u", "c=forged; Path=/"), (WIKI, "ctu"), secure=True),
]  # fmt: skip


@dataclass
class Recorder:
    """Servers that note what they are sent, and lead from hop to hop."""

    ports: dict[str, int]
    seen: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))

    def url(self, number: int, hop: int) -> str:
        filled = CASES[number].hops[hop].url.format(**self.ports)
        return f"{filled}?case={number}&hop={hop}"

    async def answer(self, request: web.Request) -> web.Response:
        number, hop = int(request.query["case"]), int(request.query["hop"])
        self.seen[number, hop].append(carried(number, request))
        headers = {}
        if CASES[number].hops[hop].sets:
            headers["Set-Cookie"] = CASES[number].hops[hop].sets
        if hop + 1 < len(CASES[number].hops):
            headers["Location"] = self.url(number, hop + 1)
            return web.Response(status=302, headers=headers)
        body = "<title>Page</title><p>Some text.</p>"
        return web.Response(text=body, content_type="text/html", headers=headers)


def carried(number: int, request: web.Request) -> str:
    """The secrets of a request, as letters; another's secret is a word that no case expects."""
    found = []
    for pair in filter(None, request.headers.get("Cookie", "").split("; ")):
        name, _, value = pair.partition("=")
        mine = value == f"secret-{number}" if name == "c" else value == "1"
        found.append(name if mine else f"foreign {pair}")
    token = request.headers.get("Authorization")
    if token is not None:
        found.append("t" if token == f"Bearer token-{number}" else "foreign token")
    if request.headers["User-Agent"] == AGENT:
        found.append("u")
    return "".join(sorted(found))


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for all names, and how a server uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Quaero's tests")])
    today = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(each) for each in NAMES]
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ADDRESSES]
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both = folder / "both.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(private + path.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return path, context


class Names:
    """A look-up by which every name is at the first address."""

    def __init__(self) -> None:
        pass

    async def __call__(self, host: str) -> Sequence[str]:
        return [ADDRESSES[0]]

    def close(self) -> None:
        """Nothing is held open."""


async def listen(stack: AsyncExitStack, recorder: Recorder, port: str, tls: Any) -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    number = 0
    for address in ADDRESSES:
        await web.TCPSite(runner, address, number, ssl_context=tls).start()
        number = runner.addresses[0][1]
    recorder.ports[port] = number


async def store(logins: Any, recorder: Recorder, number: int) -> int:
    """The login of a case, which has a base address of its own."""
    given = CASES[number]
    cookies = ()
    if given.cookie is not None:
        cookies = (Cookie(name="c", value=f"secret-{number}", **{"domain": "", **given.cookie}),)
    headers = {"Authorization": f"Bearer token-{number}"} if given.token else {}
    base = given.base.format(**recorder.ports) + f"case{number}/"
    id_, created = await logins.add(
        Capture(base_url=base, captured_at=1, cookies=cookies, headers=headers, user_agent=AGENT)
    )
    assert created
    return id_


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    path, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setattr(fetch, "SystemLookup", Names)
    return context


async def test_no_secret_leaves_its_site_and_none_is_withheld(
    tmp_path: Path, trusted: ssl.SSLContext
) -> None:
    assert len(CASES) >= 60
    settings = Settings(
        data_dir=tmp_path / "data",
        queue=QueueSettings(concurrency=8),
        crawl=CrawlSettings(allow_networks=("127.0.0.0/8",)),
        work=WorkSettings(grace="500ms"),
        auth=AuthSettings(key_file=tmp_path / "keys"),
    )
    recorder = Recorder({})
    async with AsyncExitStack() as stack:
        for port in "ab":
            await listen(stack, recorder, port, None)
        for port in "st":
            await listen(stack, recorder, port, trusted)
        made = await stack.enter_async_context(worker(settings))
        logins = open_logins(settings, made.db, None, SystemClock())  # type: ignore[arg-type]
        specs = []
        for number in range(len(CASES)):
            crawl = Crawl(
                seeds=[recorder.url(number, 0)], scope="any", follow_links=False,
                respect_robots=False, credential=await store(logins, recorder, number),
            )  # fmt: skip
            specs.append(JobSpec("crawler", crawl.model_dump_json()))
        roots = list(await made.db.write(create, made.queue_id, specs))
        working = asyncio.create_task(made.pool.run())
        async with asyncio.timeout(LONGEST):
            while any(each.status.open for each in await made.db.read(summaries, roots)):
                await asyncio.sleep(0.05)
        made.pool.stop()
        await working
    expected = {
        (number, hop): ["".join(sorted(each.carries))]
        for number, one in enumerate(CASES)
        for hop, each in enumerate(one.hops)
    }
    wrong = {
        f"{CASES[number].base} -> {CASES[number].hops[hop].url}": (expected[number, hop], seen)
        for (number, hop) in expected
        if (seen := recorder.seen.get((number, hop), [])) != expected[number, hop]
    }
    assert not wrong
    assert recorder.seen.keys() == expected.keys()
