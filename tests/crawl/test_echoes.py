"""What a site repeats of a secret is not read; what it says otherwise is read as it is."""

from __future__ import annotations

import pytest

from quaero.crawl.echoes import LEFT_OUT, Echoes
from quaero.crawl.exchange import FetchRequest
from quaero.crawl.fetch import Fetcher
from quaero.crawl.policy import NetworkPolicy
from quaero.errors import HttpStatus, Refused
from quaero.testing.site import Page, SiteServer, redirect

HERE = NetworkPolicy(seeds={"127.0.0.1": ["127.0.0.1"]})
SID = "6F1d0cA9b8E7=fe/03+21"
FRESH = "9c1185a5c5e9fc54612808977ee8f548"
TOKEN = "glpat-canary7"
SENT = {"Cookie": f"theme=dark; sid={SID}", "Authorization": f"Bearer {TOKEN}"}
SECRETS = (
    SID, "6F1d0cA9b8E7%3Dfe%2F03%2B21", "6F1d0cA9b8E7=fe\\/03+21",
    "6F1d0cA9b8E7\\u003dfe/03+21", "6F1d0cA9b8E7\\u003Dfe\\u002F03\\u002B21", FRESH, TOKEN,
)  # fmt: skip


async def test_no_part_of_an_answer_repeats_what_was_sent_or_set() -> None:
    headers = {
        "Set-Cookie": f"sid={FRESH}; Path=/",
        "ETag": f'"{SID}"',
        "Link": f"</{SID}>; rel=canonical",
        "X-Robots-Tag": f"noindex, {SID}",
    }
    said = " ".join(SECRETS)
    pages = {
        "/": Page(body=f"<title>{said}</title><p>dark, {said}.", headers=headers),
        "/on": redirect(f"/next?ticket={SECRETS[1]}&theme=dark"),
        "/type": Page(body="x", content_type=f"x/{TOKEN}"),
        "/no": Page(status=403, body=said, headers=headers),
    }
    async with SiteServer(pages) as site, Fetcher() as fetcher:

        def ask(path: str, **more) -> FetchRequest:
            return FetchRequest(url=site.url + path, policy=HERE, headers=SENT, **more)

        page = await fetcher.fetch(ask("/"))
        moved = await fetcher.fetch(ask("/on"))
        with pytest.raises(Refused) as kind:
            await fetcher.fetch(ask("/type", accept=lambda _: False))
        with pytest.raises(HttpStatus) as refused:
            await fetcher.fetch(ask("/no", body=b"{}"))
    left = " ".join([LEFT_OUT] * len(SECRETS))
    assert page.body.decode() == f"<title>{left}</title><p>dark, {left}."
    assert page.set_cookie == (f"sid={FRESH}; Path=/",)
    assert page.robots == (f"noindex, {LEFT_OUT}",)
    assert moved.location == f"{site.url}/next?ticket={LEFT_OUT}&theme=dark"
    told = [repr(page), repr(moved), str(kind.value), str(refused.value)]
    assert LEFT_OUT in told[3]
    assert not [each for each in told for secret in SECRETS if secret in each]


DOUBTFUL = [
    ({"Cookie": "PHPSESSID=archer1985"}, True),
    ({"Cookie": "a=1; xsrf-token=archer1985"}, True),
    ({"Cookie": "user=archer1985"}, False),
    ({"Cookie": "session=archer"}, False),
    ({"X-Api-Key": "archery-and-more"}, True),
    ({"X-Team": "archery-and-more"}, False),
    ({}, False),
]


@pytest.mark.parametrize(("sent", "doubtful"), DOUBTFUL)
async def test_what_is_too_plain_to_be_taken_out_makes_an_answer_doubtful(sent, doubtful) -> None:
    said = "by archer1985 of archery-and-more"
    pages = {"/": said, "/wide": Page(body=said.encode("utf-16-le")), "/else": "by nobody"}
    async with SiteServer(pages) as site, Fetcher() as fetcher:
        found = [
            await fetcher.fetch(FetchRequest(url=site.url + path, policy=HERE, headers=sent))
            for path in ("/", "/wide", "/else")
        ]
    assert found[0].body.decode() == said
    assert [each.doubtful for each in found] == [doubtful, doubtful, False]


@pytest.mark.parametrize(
    "sent",
    [
        {"Cookie": "user=ann.archer1985; lang=en-US; mail=ann.archer1985@example.org"},
        {"Cookie": "last=release-notes-2026-11; seen=2026-11-22T06:30:00Z; v=v1.2.3-rc1-build5"},
        {"Cookie": "home=https://wiki.example.org/x1y2z3; team=platform-engineering"},
        {"User-Agent": "Mozilla/5.0 (X11) Gecko/20100101", "X-Team": "documentation"},
        {"If-None-Match": '"9c1185a5c5e9fc54612808977ee8f548"', "Authorization": "Bearer me"},
        {"Authorization": "Bearer not-needed", "X-Api-Key": "documentation"},
    ],
)
def test_what_a_page_may_be_about_stays_in_it(sent) -> None:
    text = " ".join(sent.values()).replace("=", " ").replace(";", "")
    assert Echoes(sent).without(text) == text


@pytest.mark.parametrize(
    "drawn",
    [
        "9c1185a5c5e9fc54612808977ee8f548",
        "1f0c3f3e-2c1b-4e59-9a76-1d0f5a7be9c2",
        "6A5DBD71F33C2A0B1E8C27D5A2D8C5F1",
        "s%3AeBVhG2v4Pq0cM7xk.3rZt9w",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ],
)
def test_what_was_drawn_by_lot_is_left_out_whatever_its_name(drawn) -> None:
    for sent in ({"Cookie": f"a=1; x={drawn}"}, {"X-Other": drawn}):
        assert Echoes(sent).without(f"<{drawn}>") == f"<{LEFT_OUT}>"
    assert Echoes({}, [f"x={drawn}; Path=/"]).without(drawn) == LEFT_OUT
