"""Of a page that says it is an article the text is kept, and not what leads on from it."""

from __future__ import annotations

import pytest

from quaero.crawl.article import is_article
from quaero.crawl.extract import extract

URL = "https://news.test/2024/bridge"
SAYS_SO = '<meta property="og:type" content="article">'
STORY = [
    "The bridge over the river was closed on Monday after a crack had been found in its third pier.",
    "Engineers of the county said that it may take until autumn before lorries can cross it again.",
    "Until then the ferry runs every twenty minutes, and by night once an hour, free of charge.",
]
OTHERS = "".join(
    f'<div class="card"><a href="/{n}">Another story with a long title, number {n}</a></div>'
    for n in range(6)
)


def paragraphs(texts: list[str]) -> str:
    return "".join(f"<p>{text}</p>" for text in texts)


def page(body: str, head: str = SAYS_SO) -> str:
    html = f"<html><head><title>Bridge closed</title>{head}</head><body>{body}</body></html>"
    return extract(html.encode(), URL, "text/html; charset=utf-8").markdown


@pytest.mark.parametrize(
    "beside",
    [
        f"<div id=right>{OTHERS}</div>",
        f"<section class='more-stories'><h2>More stories</h2>{OTHERS}</section>",
        "<div class=articleSidebar><p>Our weather is made by people who look at the sky.</p></div>",
        "<form class=newsletter-signup><p>Get the news of the county each morning by mail.</p></form>",
        "<div class='author-bio'><p>Jo Doe writes about roads since they were seven years old.</p></div>",
        "<ul class=share-bar><li><a href=/f>Post</a><li><a href=/t>Send</a></ul>",
        "<div class='print-footer'>Printed from news.test, all rights reserved by the county.</div>",
    ],
)
def test_what_leads_on_is_left_out_beside_the_text_and_within_it(beside: str) -> None:
    heading, text = "<h1>Bridge closed</h1>", paragraphs(STORY * 3)
    within = paragraphs(STORY) + beside + paragraphs(STORY * 2)
    alone = page(f"<div id=wrap>{heading}<div class=text>{text}</div></div>")
    assert page(f"<div id=wrap>{heading}<div class=text>{text}</div>{beside}</div>") == alone
    assert page(f"<main>{heading}<div class=text>{within}</div></main>") == alone
    assert alone.startswith("# Bridge closed\n")
    assert alone.count(STORY[0]) == 3


def test_comments_are_left_out_though_they_are_longer_than_the_text() -> None:
    comments = "".join(f"<li><p>I said so {n} years ago. {STORY[1]}</p>" for n in range(40))
    said = page(
        f"<div id=all><h1>Bridge closed</h1><div>{paragraphs(STORY)}</div>"
        f"<div id=comments><ol>{comments}</ol></div></div>"
    )
    assert said.count("\n\n") == 3
    assert "years ago" not in said


def test_what_belongs_to_the_text_stays() -> None:
    said = page(
        "<article><header><h1>Bridge closed</h1><p class=lead>In short: take the ferry.</p></header>"
        f"<div class=text>{paragraphs(STORY)}<h2>Where to go</h2>"
        "<ul><li><a href=/ferry>The ferry</a><li><a href=/ford>The ford</a></ul>"
        "<table><tr><th>Day</th><th>Ferries</th></tr><tr><td>Monday</td><td>72</td></tr></table>"
        "<pre>ferry --when now</pre><figure><img src=/b.jpg alt=Bridge></figure>"
        f"{paragraphs(STORY)}</div></article>"
    )
    for part in (
        "# Bridge closed", "In short: take the ferry.", "## Where to go",
        "- [The ferry](https://news.test/ferry)", "| Monday | 72 |", "ferry --when now",
        "![Bridge](https://news.test/b.jpg)",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"<div class=z>{each}</div>" for each in STORY * 2),
        "<br><br>".join(STORY * 2),
        "".join(f"<section class=part>{paragraphs([each, each])}</section>" for each in STORY),
        "".join(
            f"<div class=card><div class=inner><p>{each}</p></div></div>" for each in STORY * 2
        ),
    ],
    ids=["divs", "lines", "sections", "cards"],
)
def test_the_text_is_found_however_its_paragraphs_are_marked(text: str) -> None:
    said = page(
        f"<div id=wrap><h1>Bridge closed</h1><div class=text>{text}</div>"
        f"<div class=below>{OTHERS}<p>All stories are made in the county, and nowhere else at all.</p>"
        "</div></div>"
    )
    assert [said.count(each) for each in STORY] == [2, 2, 2]
    assert "Another story" not in said


def test_a_page_that_does_not_say_so_keeps_what_it_has() -> None:
    """Documentation has side remarks with such names, and they are its text."""
    body = (
        f"<div><h1>Bridge</h1>{paragraphs(STORY)}"
        "<div class=related-options><p>See how the option for the ferry is set.</p></div></div>"
    )
    assert "option for the ferry" in page(body, head="")
    assert "option for the ferry" not in page(body)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SAYS_SO, True),
        ("<meta content='article' property='og:type'>", True),
        ('<META NAME="og:type" id=x CONTENT="news.article">', True),
        ('<script type="application/ld+json">{"@type": "NewsArticle"}</script>', True),
        ('<script>{"@type":["BlogPosting"]}</script>', True),
        ('<div itemscope itemtype="https://schema.org/BlogPosting">', True),
        ('<meta property="og:type" content="website">', False),
        ('<div itemscope itemtype="http://schema.org/Article">', False),  # a theme of manuals
        ('{"@type": "TechArticle"}', False),
        ("<p>og:type is article</p>", False),
        (SAYS_SO + " " * 1024 * 1024, False),
    ],
)
def test_an_article_says_that_it_is_one(source: str, expected: bool) -> None:
    assert is_article(source) == expected
