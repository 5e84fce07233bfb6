from __future__ import annotations

import time

import pytest

from quaero.crawl.sitemap import Sitemap, parse_sitemap

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*locations: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    entries = "".join(f"<url><loc>{location}</loc></url>" for location in locations)
    return f"{head}\n<urlset {NS}>{entries}</urlset>".encode()


A, B = "https://example.org/a", "https://example.org/b"


@pytest.mark.parametrize(
    ("body", "urls"),
    [
        (urlset(A, B), (A, B)),
        (urlset(), ()),
        (urlset(A, head=""), (A,)),
        (b"\n  " + urlset(A), (A,)),
        (b"\xef\xbb\xbf" + urlset(A), (A,)),
        (urlset(A, head='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16"), (A,)),
        (urlset(f"\n  {A}\t"), (A,)),
        (urlset(f"<![CDATA[{A}]]>"), (A,)),
        (urlset("<![CDATA[https://example.org/?a=1&b=2]]>"), ("https://example.org/?a=1&b=2",)),
        (urlset(f"<![CDATA[{A}?a&b]]>", f"<!-- & -->{B}?a&b"), (f"{A}?a&b", f"{B}?a&b")),
        (urlset("https://example.org/?a=1&amp;b=2"), ("https://example.org/?a=1&b=2",)),
        (urlset("https://example.org/?a=1&b=2"), ("https://example.org/?a=1&b=2",)),
        (urlset("https://example.org/&#x61;&#98;"), ("https://example.org/ab",)),
        (urlset("https://example.org/ö"), ("https://example.org/ö",)),
        (urlset("https://example.org/&nbsp;x"), ("https://example.org/&nbsp;x",)),
        (urlset("", A), (A,)),
        (urlset("https://example.org/" + "x" * 9000, A), (A,)),
        (urlset(A).replace(b"<loc>", b"<lastmod>2026-01-01</lastmod><loc>"), (A,)),
        (b"<urlset><url><loc>https://example.org/a</loc></url></urlset>", (A,)),
        (f'<s:urlset xmlns:s="x"><s:url><s:loc>{A}</s:loc></s:url></s:urlset>'.encode(), (A,)),
        (urlset(A, B).replace(b"<loc>", b"<image:image>x</image:image><loc>"), (A, B)),
        (f"<rss><channel><link>/</link><item><link> {A} </link></item></channel></rss>", (A,)),
        (
            f"<rdf:RDF><channel><link>/</link></channel><item><link>{A}</link></item></rdf:RDF>",
            (A,),
        ),
        (f"<feed><link href='/'/><entry><link href='{A}' rel='alternate'/></entry></feed>", (A,)),
        (f"<feed><entry><link href='x' rel='edit'/><link href='{B}'/></entry></feed>", (B,)),
        (b"https://example.org/a\r\nhttps://example.org/b", (A, B)),
        (b"\xef\xbb\xbfhttps://example.org/a\n\n# note\nnonsense\nhttps://example.org/b\n", (A, B)),
        (b"", ()),
    ],
)
def test_pages_are_read_as_written_and_in_order(body: bytes | str, urls: tuple[str, ...]) -> None:
    raw = body.encode() if isinstance(body, str) else body
    assert parse_sitemap(raw) == Sitemap(urls, ())


def test_an_index_names_further_sitemaps() -> None:
    body = f"<sitemapindex {NS}><sitemap><loc>{A}</loc></sitemap></sitemapindex>".encode()
    assert parse_sitemap(body) == Sitemap((), (A,))


def test_addresses_of_images_are_not_pages() -> None:
    body = (
        f'<urlset {NS} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><url>'
        f"<loc>{A}</loc><image:image><image:loc>{B}</image:loc></image:image></url></urlset>"
    )
    assert parse_sitemap(body.encode()).urls == (A,)


def test_what_comes_before_a_fault_is_kept_and_the_fault_told() -> None:
    sitemap = parse_sitemap(urlset(A)[:-9] + b"<url><loc>https://example.org/b</url>")
    assert sitemap.urls == (A,)
    assert sitemap.problem is not None
    assert "mismatched tag" in sitemap.problem


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html><body>Not found</body></html>", "'html'"),
        (b"<", "token"),
        (urlset(A)[:60], "unclosed token"),
        (b"Page not found", "no address"),
        (b'<?xml version="1.0" encoding="klingon"?><urlset/>', "encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><urlset/>', "encoding"),
    ],
)
def test_what_is_no_sitemap_says_so(body: bytes, says: str) -> None:
    sitemap = parse_sitemap(body)
    assert sitemap.urls == sitemap.sitemaps == ()
    assert says in (sitemap.problem or "")


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    assert parse_sitemap(urlset("&b;", head=bomb)) == Sitemap((), (), "it declares entities")
    file = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    assert parse_sitemap(urlset("&f;", head=file)).problem == "it declares entities"
    outside = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'
    assert parse_sitemap(urlset(A, head=outside)).urls == (A,)


@pytest.mark.parametrize("body", [urlset(A, B, A), b"\n".join([A.encode()] * 3)])
def test_at_most_the_limit_is_read(body: bytes) -> None:
    sitemap = parse_sitemap(body, limit=2)
    assert len(sitemap.urls) == 2
    assert sitemap.problem == "it names more than 2 addresses"


def test_a_full_sitemap_is_not_over_the_limit() -> None:
    assert parse_sitemap(urlset(A, B), limit=2).problem is None


def test_deep_nesting_takes_linear_time() -> None:
    before = time.process_time()
    parse_sitemap(b"<a>" * 200_000)
    assert time.process_time() - before < 5.0
