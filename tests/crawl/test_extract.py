"""A body becomes one page: text, metadata and links, whatever the bytes are."""

import subprocess
import sys
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quaero.crawl import nesting
from quaero.crawl.extract import Page, extract
from quaero.crawl.hrefs import MAX_LINKS
from quaero.crawl.metadata import iso_date
from quaero.crawl.urls import canonical
from quaero.errors import Refused

URL = "https://docs.example.org/guide/page.html"


def page(html, url=URL, content_type="text/html; charset=utf-8"):
    body = html.encode() if isinstance(html, str) else html
    return extract(body, url, content_type)


# --- metadata ---------------------------------------------------------------------------------

FULL = """<!DOCTYPE html><html lang="en_GB"><head><title> A title\n here </title>
<meta name="Description" content="What it is.">
<meta name="author" content="Ann">
<meta property="article:published_time" content="2025-01-02T03:04:05+02:00">
<meta name="last-modified" content="Tue, 07 Jan 2025 10:00:00 GMT">
<meta property="og:title" content="OG"><meta property="og:type" content="article">
<link rel="canonical" href="../canon.html">
<script type="application/ld+json">{"@type": "Article", "n": 1}</script>
<script type="application/ld+json">{broken</script>
</head><body><main><h1>Heading</h1><p>Some text.</p></main>
<link rel="canonical" href="https://evil.example.org/"></body></html>"""


def test_a_page_says_what_it_is():
    found = page(FULL)
    assert found.title == "A title here"
    assert found.description == "What it is."
    assert found.language == "en-GB"
    assert found.author == "Ann"
    assert found.published == "2025-01-02T01:04:05Z"
    assert found.modified == "2025-01-07T10:00:00Z"
    assert found.canonical == "https://docs.example.org/canon.html"
    assert found.open_graph == {"title": "OG", "type": "article"}
    assert found.json_ld == [{"@type": "Article", "n": 1}]
    assert found.headings == [(1, "Heading")]
    assert found.markdown == "# Heading\n\nSome text.\n"
    assert found.words == 3
    assert len(found.content_hash) == 32


TITLES = [
    ("<title>Guide — Acme docs</title><main><h1>Guide</h1>x</main>", "Guide"),
    ("<title>Guide | Acme</title><main><h1>Guide</h1>x</main>", "Guide"),
    ("<title>Guides | Acme</title><main><h1>Guide</h1>x</main>", "Guides | Acme"),
    ("<title>Other</title><main><h1>Guide</h1>x</main>", "Other"),
    ("<title>Guide (Acme (v2))</title><main><h3>1.2 Guide</h3>x</main>", "Guide"),
    ("<title>Reader - Acme</title><main><h1>Class Reader</h1>x</main>", "Reader"),
    ("<title>Acme: Guide</title><main><h1>Guide</h1>x</main>", "Guide"),
    ("<title>Acme -- Guide</title><main><h1>2 Guide</h1>x</main>", "Guide"),
    ("<title>Guide — Acme</title><main><h1>Acme</h1><h1>Guide</h1>x</main>", "Guide"),
    ("<title>Guide - Acme</title><main><h1>Acme</h1>x</main>", "Guide - Acme"),
    (
        "<title>mail: a guide</title><main><h1>mail: a guide</h1><h2>mail</h2></main>",
        "mail: a guide",
    ),
    ("<title>Rules (revised)</title><main><h1>Rules (revised)</h1>x</main>", "Rules (revised)"),
    ("<meta property='og:title' content='OG'><main><h1>Guide</h1>x</main>", "OG"),
    ("<main><h1>Gu\x07ide</h1>x</main>", "Guide"),
    ("<p>x</p>", "page.html"),
    ("<title>a&#1;b &amp; c</title>", "ab & c"),
]


@pytest.mark.parametrize(("html", "title"), TITLES)
def test_the_title_is(html, title):
    assert page(html).title == title


def test_a_page_without_a_name_is_called_by_its_host():
    assert page("<p>x</p>", "https://docs.example.org/").title == "docs.example.org"


def test_the_heading_outside_of_the_content_is_put_first_if_the_title_confirms_it():
    html = "<title>{}</title><div><h1>Plan</h1><main><p>Text</p></main></div>"
    assert page(html.format("Plan - Acme")).markdown == "# Plan\n\nText\n"
    assert page(html.format("Acme")).markdown == "Text\n"


DOCTYPES = [
    '<!DOCTYPE html SYSTEM "about:legacy-compat">',
    '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN">',
    "<!DOCTYPE>",
    "",
]


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_a_page_is_read_whatever_type_it_declares(doctype):
    assert (
        page(f"{doctype}<body><div><h1>Plan</h1><p>Text</p></div>").markdown == "# Plan\n\nText\n"
    )


ROBOTS = [
    ("noindex", True, False),
    ("nofollow", False, True),
    ("NOINDEX, NOFOLLOW", True, True),
    ("none", True, True),
    ("all", False, False),
    ("max-snippet:-1", False, False),
]


@pytest.mark.parametrize(("content", "noindex", "nofollow"), ROBOTS)
def test_meta_robots_is_obeyed(content, noindex, nofollow):
    found = page(f'<meta name="robots" content="{content}"><p>x')
    assert (found.noindex, found.nofollow) == (noindex, nofollow)


DATES = [
    ("2025-01-02", "2025-01-02"),
    ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z"),
    ("2025-01-02T03:04:05.678+01:00", "2025-01-02T02:04:05Z"),
    ("2025-01-02T03:04", "2025-01-02T03:04:00"),
    ("Thu, 02 Jan 2025 03:04:05 +0100", "2025-01-02T02:04:05Z"),
    ("yesterday", None),
    ("", None),
    ("2025-13-45", None),
    ("0001-01-01T00:00:00+14:00", None),
]


@pytest.mark.parametrize(("text", "date"), DATES)
def test_a_date_is(text, date):
    assert iso_date(text) == date


@given(st.text(max_size=70))
def test_no_text_makes_a_date_fail(text):
    iso_date(text)


JSON_LD = [
    '{"a": 123456789012345678901234567890}',
    '{"a": "\\ud800"}',
    "[" * 3000 + "]" * 3000,
    "",
    "nonsense",
    '"' + "x" * 70_000 + '"',
]


@pytest.mark.parametrize("text", JSON_LD)
def test_json_ld_that_no_message_can_carry_is_left_out(text):
    found = page(f'<script type="application/ld+json">{text}</script><p>x')
    assert found.json_ld == []
    assert found.markdown == "x\n"


# --- links ------------------------------------------------------------------------------------


def test_links_are_raw_unique_and_in_document_order():
    html = """<head><link rel="next" href="n.html"><link rel="stylesheet" href="s.css">
    <meta http-equiv="Refresh" content="0; URL='moved.html'"></head>
    <nav><a href="b.html">b</a></nav><a href=" a.html?x=1&amp;y=2 ">a</a><a href="b.html">again</a>
    <a href="#top">top</a><a href="">here</a><a>no</a><a href="mailto:a@example.org">m</a>
    <a href="nf.html" rel="ugc NoFollow nofollow">n</a>
    <map><area href="area.html"></map><iframe src="frame.html"></iframe><iframe src="about:blank">
    </iframe>"""
    assert page(html).links == [
        ("n.html", False),
        ("moved.html", False),
        ("b.html", False),
        ("a.html?x=1&y=2", False),
        ("mailto:a@example.org", False),
        ("nf.html", True),
        ("area.html", False),
        ("frame.html", False),
    ]


def test_a_link_may_be_followed_if_one_of_its_places_allows_it():
    html = '<a rel="nofollow" href="x">1</a><a href="x">2</a><a href="y" rel="nofollow">3</a>'
    assert page(html).links == [("x", False), ("y", True)]


def test_links_of_a_drawing_are_links_however_they_are_written():
    drawing = (
        '<a xlink:href="old.html"><text>x</text></a><a href="new.html" xlink:href="old2.html"></a>'
        "<a xlink:href></a>"
    )
    made = page(f'<p>Text <a href="a.html">a</a></p><svg>{drawing}</svg>')
    assert made.links == [("a.html", False), ("old.html", False), ("new.html", False)]


def test_links_in_what_is_not_content_are_links_too():
    found = page("<main><p>text</p></main><footer><a href='f.html'>f</a></footer>")
    assert found.links == [("f.html", False)]
    assert found.markdown == "text\n"


BASES = [
    ("", URL),
    ('<base href="/v2/">', "https://docs.example.org/v2/"),
    ('<base href="https://other.example.org/x">', "https://other.example.org/x"),
    ('<base href="javascript:x">', URL),
    ('<base target="_top">', URL),
    ('<base href="http://[">', URL),
]


@pytest.mark.parametrize(("element", "base"), BASES)
def test_the_base_address_is(element, base):
    assert page(f"{element}<p>x").base == base


# --- main content -----------------------------------------------------------------------------


def test_main_is_believed_even_if_it_is_short():
    html = "<header>Site</header><nav><a href=x>x</a></nav><main>Hi</main><footer>f</footer>"
    assert page(html).markdown == "Hi\n"


def test_a_main_that_is_a_scrap_of_the_page_is_not_believed():
    text = "<p>" + "Real sentences that somebody wrote to be read. " * 40 + "</p>"
    html = f"<main><p>Search</p></main><div id='wrap'><h1>Doc</h1>{text}</div>"
    assert "Real sentences" in page(html).markdown


def test_several_articles_are_all_kept():
    html = "<body><article><p>one</p></article><article><p>two</p></article></body>"
    assert page(html).markdown == "one\n\ntwo\n"


def test_statistics_leave_out_link_lists_beside_the_text():
    text = "".join(
        f"<p>Sentence number {n} of the text that this page is about.</p>" for n in range(9)
    )
    menu = "".join(f'<li><a href="{n}.html">Menu entry {n}</a></li>' for n in range(9))
    html = f"<div><div id=l><ul>{menu}</ul></div><div id=c><h1>T</h1>{text}</div></div>"
    found = page(html).markdown
    assert "Sentence number 8" in found
    assert "# T" in found
    assert "Menu entry" not in found


def test_a_page_of_links_keeps_them():
    rows = "".join(f'<li><a href="{n}.html">Page {n}</a></li>' for n in range(50))
    assert page(f"<h1>Index</h1><ul>{rows}</ul>").markdown.count("- [Page") == 50


# --- other types ------------------------------------------------------------------------------


def test_markdown_is_a_page_with_the_title_of_its_first_heading():
    text = (
        "intro\r\n\r\n```\r\n# not\r\n```\r\n## Real ##\r\n[a](b.md) <https://x.example/y>.  \r\n"
    )
    found = page(text, "https://h.example/readme.md", "text/markdown")
    assert found.title == "Real"
    assert found.headings == [(2, "Real")]
    assert found.links == [("b.md", False), ("https://x.example/y", False)]
    assert found.markdown == text.replace("\r", "").replace(".  \n", ".\n")


def test_plain_text_is_named_by_its_file():
    found = page("a\x00b  \n\n\n", "https://h.example/some%20notes.txt?x", "text/plain")
    assert (found.title, found.markdown) == ("some notes.txt", "ab\n")


@pytest.mark.parametrize(
    "content_type", ["application/json", "image/png", "application/xml; charset=utf-8", "x/y"]
)
def test_other_types_are_refused_by_name(content_type):
    with pytest.raises(Refused, match=content_type.split(";")[0]) as refusal:
        page("{}", content_type=content_type)
    assert refusal.value.reason == "content-type"


SNIFFED = [
    (b" <!doctype html><p>x", "x\n"),
    (b"plain words", "plain words\n"),
    (b'<?xml version="1.0"?><html><body>x</body></html>', "x\n"),
]


@pytest.mark.parametrize("content_type", [None, "", "unknown/unknown", "*/*", "html"])
@pytest.mark.parametrize(("body", "markdown"), SNIFFED)
def test_without_a_type_the_body_is_looked_at(body, markdown, content_type):
    assert page(body, content_type=content_type).markdown == markdown


XHTML = b"""<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><head><script src="x.js"/><title/></head>
<body><h1><a id="c"/>One</h1><p>It's <a id='i' />a <a href="two.xhtml">link</a>.<br/>b</p><div/>
<p><![CDATA[x <b/> & y]]></p><!-- <div/> --><table><tr><td/><td>z</td></tr></table></body></html>"""


@pytest.mark.parametrize("content_type", ["application/xhtml+xml; charset=utf-8", None])
def test_elements_of_xhtml_end_in_their_start_tags(content_type):
    read = page(XHTML, content_type=content_type)
    link = "[link](https://docs.example.org/guide/two.xhtml)"
    assert read.markdown == (
        f"# One\n\nIt's a {link}.\\\nb\n\nx \\<b/> & y\n\n| | |\n| --- | --- |\n| | z |\n"
    )
    assert read.links == [("two.xhtml", False)]


TEX_SCRIPTS = r"""<script>x = '<script type="math/tex">';</script><p>It is
<span class="MathJax_Preview">x^2</span><script type="math/tex">x_2 \lt &amp; y</script>.</p>
<script id="e" type="math/tex; mode=display">% <![CDATA[
a < b \\ c %]]></script><p>So <script>f()</script><SCRIPT TYPE='math/tex'></SCRIPT>it is.</p>"""


def test_formulas_in_scripts_are_content_and_programs_are_not():
    assert page(TEX_SCRIPTS).markdown == (
        "It is $x_2 \\lt & y$.\n\n$$\na < b \\\\ c\n$$\n\nSo it is.\n"
    )


def test_without_a_type_binary_data_is_refused():
    with pytest.raises(Refused):
        page(b"%PDF-1.7 ...", content_type=None)
    with pytest.raises(Refused):
        page(b"\x7fELF\0\0", content_type="")


# --- logins and shells ------------------------------------------------------------------------

LOGIN = """<title>Log in - Acme</title><header><a href="/">Acme</a></header><main><h1>Welcome</h1>
<form action="/login"><label>User <input name=u></label><label>Password
<input type="PASSWORD"></label><button>Log in</button></form></main>"""
WORDS = "<p>" + "many words to read on this page " * 60 + "</p>"
BOX = "<form action=/login>Log in: <input name=u><input type=password></form>"
HANDED_ON = """<title>One moment</title><body onload="document.forms[0].submit()">
<form method=post action="https://idp.example/"><input type=hidden name={name} value=x>
<noscript><button>Continue</button></noscript></form>"""
LOGINS = [
    (LOGIN, True),
    (LOGIN.replace("</main>", WORDS + "</main>"), False),
    ("<h1>Docs</h1>" + WORDS + "<form action=/login><input type=password></form>", False),
    (
        "<h1>Register</h1><form action=/login><input type=password><input type=password></form>",
        False,
    ),
    ("<h1>Log in</h1><p>Use the form.</p>", False),
    ("<h1>Reports</h1><input type=password><p>short</p>", False),
    # a box to log in beside a text that is short, and nothing but such a box
    (f"<header>{BOX}</header><main><h1>Tides</h1><p>{'high water ' * 9}</p></main>", False),
    (f"<main><article><p>{'high water ' * 9}</p></article><aside>{BOX}</aside></main>", False),
    (f"<main><p>{'use your usual name ' * 4}</p></main><header>{BOX}</header>", False),
    (f"<header>{BOX}</header>", True),
    (f"<footer><main><p>{'use your usual name ' * 4}</p>{BOX}</main></footer>", True),
    # a page that scripts send on to a login service
    (HANDED_ON.format(name="SAMLRequest"), True),
    (HANDED_ON.format(name="SAMLRequest") + WORDS, False),
    (HANDED_ON.format(name="token"), False),
]


@pytest.mark.parametrize(("html", "expected"), LOGINS)
def test_a_login_page_is_recognised(html, expected):
    assert page(html).looks_like_login is expected


SHELLS = [
    ('<div id="root"></div><script src="/app.js"></script>', True),
    (
        "<noscript>Please enable JavaScript.</noscript><script src=x></script>",
        True,
    ),
    ("<app-root>Loading...</app-root><script src=main.js></script>", True),
    ('<script src="x.js"></script>', True),
    (f'<div id="root">{WORDS}</div><script src="/app.js"></script>', False),
    ("<p>Short page.</p><script src=analytics.js></script>", False),
    ('<div id="root"></div>', False),
    ('<meta http-equiv="refresh" content="0;url=x"><script src=x></script>', False),
    ("", False),
]


@pytest.mark.parametrize(("html", "expected"), SHELLS)
def test_an_empty_shell_is_recognised(html, expected):
    assert page(html).empty_shell is expected


# --- any bytes --------------------------------------------------------------------------------

NASTY = {
    "deep": b"<div>" * 200_000,
    "deep and closed": b"<div>" * 100_000 + b"x" + b"</div>" * 100_000,
    "not too deep": b"<div>" * 14_900 + b"text",
    "deep spans": b"<span>" * 100_000 + b"text",
    "deep lists": b"<ul><li>x" * 50_000,
    "deep tables": b"<table><tr><td>" * 20_000,
    "unclosed formatting": b"".join(b"<b id=%d><p>" % n for n in range(20_000)),
    "formatting before blocks": b"".join(b"<font a=%d>" % n for n in range(390))
    + b"<p>x" * 100_000,
    "misnested": b"<b><i></b></i><a><table><a>" * 20_000,
    "nulls": b"\0" * 100_000 + b"<p>\0text\0</p>",
    "attribute": b'<p title="' + b"x" * 2_000_000 + b'">y</p>',
    "attributes": b"<p " + b"".join(b"a%d=1 " % n for n in range(20_000)) + b">y</p>",
    "links": b"".join(b'<a href="/%d">x</a> ' % n for n in range(100_000)),
    "open comment": b"<p>x<!-- " + b"-" * 200_000,
    "open tag": b"<p>x<" * 100_000,
    "open script": b"<p>x<script>" + b"</" * 100_000,
    "entities": b"&amp;" * 200_000 + b"&#x110000;&#xD800;&#0;&",
    "marks": bytes(range(32)) * 5000,
    "stars": b"<p>" + b"*_`[<&~!\\" * 20_000,
    "brackets": b"<p>" + b"[" * 100_000,
    "bold": b"<p>" + b"<b>x</b> " * 30_000,
    "breaks": b"<br>" * 100_000 + b"x" + b"<br> " * 100_000,
    "cells": b"<table><tr>" + b"<td colspan=1000 rowspan=1000>x" * 5000,
    "rows": b"<table>" + b"<tr><td rowspan=65534>x<td colspan=50>y" * 5000,
    "one long word": b"<p>" + b"x" * 2_000_000,
    "headings": b"<h1>" * 30_000,
    "pre": b"<pre>" * 20_000 + b"x",
    "select": b"<select><option>" * 20_000,
    "svg": b"<svg><foreignObject><p><svg>" * 300 + b"x",
    "templates": b"<template>" * 20_000 + b"x",
    "frameset": b"<frameset><frame src=a></frameset>",
    "names": b"<a<b c\"=1 d'=2 =e>x</a<b><p/=>y",
    "plaintext": b"<plaintext><b>x</plaintext>",
    "open comments": b"<!--" * 300_000,
    "open scripts": b"<p><script " * 200_000,
    "opened scripts": b"<script>" * 200_000,
    "opened noscripts": b"<noscript>" * 50_000,
    "open heads in a large page": b"<head " * 2_000_000,
    "open titles in a large page": b"<title " * 2_000_000,
    "open links in a large page": b"x" * 11_000_000 + b"<a " * 3_000_000,
    "blanks in a refresh": b"<head><meta http-equiv=refresh content='" + b" " * 2_000_000 + b"'>",
    "empty bold": b"<p>" + b"<b> </b>" * 200_000,
    "blank lines": b"<pre>" + b"\n" * 2_000_000 + b"x</pre>",
}


@pytest.mark.parametrize("name", NASTY)
def test_nothing_makes_it_fail_or_slow(name):
    begun = time.process_time()
    found = extract(NASTY[name], URL, "text/html")
    assert time.process_time() - begun < 10
    assert len(found.markdown) < 20 * len(NASTY[name]) + 1000
    assert len(found.links) <= MAX_LINKS
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Page) == found


def test_a_page_too_deep_for_a_tree_keeps_text_title_and_links():
    body = (
        "<title>T</title>"
        + "<div>" * 16_000
        + "<p>one</p><p>two &amp; three <a href='x.html'>x</a>"
    )
    found = page(body)
    assert found.title == "T"
    assert found.markdown == "T\n\none\n\ntwo & three x\n"
    assert found.links == [("x.html", False)]


def test_a_page_too_large_for_a_tree_becomes_plain_text():
    found = page(b"<h1>x</h1>" + b"<p>word</p>\n" * 1_000_000)
    assert found.markdown.startswith("x\n\nword\n\nword\n")


def test_a_page_too_deep_for_a_tree_is_what_its_head_says():
    head = '<base href="/docs/"><meta name="robots" content="noindex, nofollow"><title>T</title>'
    deep = "<div>" * 16_000 + "<a href=x.html>x</a>"
    for start in (f'<html lang="de"><head>{head}</head>', f'<html lang="de">{head}<body>'):
        found = page(start + deep)
        assert (found.noindex, found.nofollow, found.language) == (True, True, "de")
        assert found.base == "https://docs.example.org/docs/"
        assert found.title == "T"


def test_words_of_a_page_too_large_for_a_tree_do_not_run_together():
    rows = "<tr><td>one</td><th>two</th></tr>"
    parts = "<option>three</option><option>four</option><figcaption>five</figcaption>"
    source = f"{'<div>' * 16_000}<table>{rows}</table><select>{parts}</select>o<b>n</b>e"
    assert page(source).markdown == "one two\n\nthree\n\nfour\n\nfive\n\none\n"


COPIED = "".join(f"<b id={n}><p>" for n in range(2000))
LARGEST = """
import resource, sys
from quaero.crawl.extract import extract
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
line = b" ".join(b"%x" % n for n in range(16, 4_096)) + b" "
body = (line * 4000)[: 49 * 2**20]
print(extract(body, "http://site.example/", sys.argv[1]).words > 5_000_000)
"""


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_the_largest_page_is_read_in_the_memory_that_a_helper_has(kind):
    ran = subprocess.run([sys.executable, "-c", LARGEST, kind], capture_output=True, check=False)
    assert (ran.stdout, ran.stderr) == (b"True\n", b"")


OF_MANY_TAGS = """
import resource, sys
from quaero.crawl.extract import MAX_MARKUP, extract
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
body = b"<table><tr>" + sys.argv[1].encode() * 4_000_000
print(extract(body[:MAX_MARKUP], "http://site.example/", "text/html").words > 2_000_000)
"""


@pytest.mark.parametrize("unit", ["<td>x", "<h2>x"])
def test_a_page_of_hardly_more_than_tags_is_read_in_the_memory_that_a_helper_has(unit):
    command = [sys.executable, "-c", OF_MANY_TAGS, unit]
    ran = subprocess.run(command, capture_output=True, check=False)
    assert (ran.stdout, ran.stderr) == (b"True\n", b"")


ATTRIBUTES = " ".join(f"a{number}" for number in range(1_100))
TREACHEROUS = [
    ("<div>" * 16_000, True),
    ("<div>" * 300 + "</div>" * 300 + "<p>x" * 5000, False),
    ("<p><b>x</b></p>" * 3000, False),
    ("<p>x<li>y<td>z" * 3000, False),
    ("<table>" + "<tr><td><font>x" * 2000 + "</table>", False),
    ("<b>" * 300 + "<p>x" * 10000, True),
    ("<script>" + "<div>" * 5000 + "</script>", False),
    ("<!--" + "<div>" * 5000 + "-->", False),
    ("<script>" + "<div>" * 5000, False),
    ("<!--" + "<div>" * 5000, False),
    ("<svg><title>x</title></svg><p>y</p>" * 3000, False),
    (COPIED, True),
    (f"<!-->{COPIED}-->", True),
    (f"<!--->{COPIED}-->", True),
    (f"<!-- --!>{COPIED}-->", True),
    (f"<title-x>{COPIED}</title-x>", True),
    (f"<svg><title>{COPIED}</title></svg>", True),
    (f"<math><style>{COPIED}</style></math>", True),
    (f"<select><title></select>{COPIED}</title>", True),
    (f"<p {ATTRIBUTES}>x", True),
    ("<p " + ATTRIBUTES.replace(" ", "='>' "), True),
    (f"<p x='<b' {ATTRIBUTES}", True),
    (f"<svg><style><p {ATTRIBUTES}></style></svg>", True),
    (f"<script>if (i<n {ATTRIBUTES})</script>", False),
    (f"<!-- <p {ATTRIBUTES} -->", False),
    (f"x < y {ATTRIBUTES}", False),
    (f"<p>{ATTRIBUTES}" * 3, False),
    ("<!--<p" * 200_000 + ATTRIBUTES, False),
    ("<p x=\"<p x='" * 200_000, True),
]


@pytest.mark.parametrize(("markup", "expected"), TREACHEROUS)
def test_markup_is_judged_before_a_tree_is_built(markup, expected):
    assert nesting.is_treacherous(markup) is expected


def test_a_heading_of_plain_text_is_read_in_linear_time():
    begun = time.process_time()
    found = extract(b"# a" + b" " * 300_000 + b"b\n\n# c ##  \n# d#\n# #\n", URL, "text/plain")
    assert time.process_time() - begun < 10
    assert [text for _, text in found.headings[1:]] == ["c", "d#", "#"]


LONG_PARAGRAPHS = [
    "x<sup>2</sup>" * 50_000,
    "<code>a<br></code>x" * 50_000,
    "<b> <i> " * 100 + "</i> </b>" * 100 + "word " * 300_000,
    "<dl><dt>x" + "<span class='classifier'>a</span>" * 20_000,
    "<input><label>a</label>" * 20_000,
    "math/tex" + "<script type='math/tex'>" * 20_000 + "<script " * 200_000,
]


@pytest.mark.parametrize("markup", LONG_PARAGRAPHS)
def test_a_long_paragraph_is_read_in_linear_time(markup):
    begun = time.process_time()
    assert extract(f"<main><p>{markup}".encode(), URL, "text/html").words > 0
    assert time.process_time() - begun < 6


PIECES = """
<div> </div> <p> </p> <b> </b> <i> </a> <ul> <ol> <li> </ul> <dl> <dt> <dd> <table> <tr> <td>
</table> <thead> <pre> </pre> <code> </code> <h2> </h2> <br> <hr> <blockquote> </blockquote> <sup>
</sup> <math> <annotation> <summary> <details> <svg> </svg> <script> </script> <xmp> </xmp> <title>
<noscript> <template> <select> <main> <article> <footer> <button> <q> <ruby> <rt> <caption> <body>
<html> <head> * _ ` | [ ]( # ~~ - 1. &lt; &#1; &nbsp; text 中 <a/href='x#y'> <a/href='#f'> \\(x\\)
<img/src=a/alt=b> <th/colspan=2> <input/type=checkbox> <div/class='admonition'> <div/class=toc>
<p/class=title> <dt/class=sig> <span/class=math> <base/href=/x/>
"""
SPACES = [" ", "\n", "\n\n", "\x00", "\x01", "\\"]


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(st.sampled_from(PIECES.split() + SPACES), max_size=60).map("".join))
def test_no_markup_makes_it_fail(html):
    found = page(html)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Page) == found
    assert found.markdown == "" or found.markdown.endswith("\n")
    assert all(line == line.rstrip(" \t") for line in found.markdown.split("\n"))
    assert not any(ord(c) < 32 and c not in "\n\t" for c in found.markdown + found.title)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.sampled_from(["text/html", "text/plain", None]))
def test_no_bytes_make_it_fail(body, content_type):
    try:
        found = extract(body, URL, content_type)
    except Refused:
        return
    msgspec.msgpack.encode(found)


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0; url=next", "next"),
        ("5;URL = 'a b'", "a b"),
        ('0; url="it\'s"c', "it's"),
        ('0,url=a"b', 'a"b'),
        ("0;next", "next"),
        ("1.5 /next", "/next"),
        ("0; 'next", "next"),
        (".5; url=x", "x"),
        ("0; url=https://other.example/?a=1;b", "https://other.example/?a=1;b"),
        ("5", None),
        ("0;", None),
        ("0; url=", None),
        ("url=next", None),
        ("soon; url=next", None),
    ],
)
def test_a_page_that_stands_for_another_links_to_it(content, target):
    quoted = content.replace('"', "&quot;")
    found = page(f'<head><meta http-equiv="refresh" content="{quoted}"></head><p>moved</p>')
    assert found.links == ([(target, False)] if target else [])


@pytest.mark.parametrize(
    ("charset", "href", "link"),
    [
        ("windows-1251", "/я?q=я&p=a я#я", "/я?q=%FF&p=a %FF#я"),
        ("euc-kr", "?†", "?%A2%D3"),
        ("shift_jis", "?ソ=表", "?%83\\=%95\\"),
        ("iso-8859-2", "?1¢ł", "?1%26%23162%3B%B3"),
        ("utf-8", "?я", "?я"),
        ("windows-1251", "/я#?я", "/я#?я"),
    ],
)
def test_the_query_of_a_link_is_in_the_encoding_of_its_page(charset, href, link):
    body = f'<p><a href="{href}">x</a>'.encode(charset, "xmlcharrefreplace")
    found = extract(body, URL, f"text/html; charset={charset}")
    assert found.links == [(link, False)]
    assert canonical(link, URL) in found.markdown
