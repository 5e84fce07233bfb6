"""What a site puts around its pages is left out, what a page says stays."""

import time

import pytest

from quaero.crawl.extract import extract

TEXT = "<p>" + "Words that somebody wrote to be read. " * 12 + "</p>"
LINKS = "".join(f'<li><a href="{n}.html">Class number {n}</a></li>' for n in range(400))


def markdown(html):
    body = f"<!DOCTYPE html><body>{html}".encode()
    return extract(body, "https://docs.example.org/guide/page.html", "text/html").markdown


STEPS = [
    """Next: <a rel=next href=b.html>B</a>, Previous: <a rel=prev href=a.html>A</a>
    [<a rel=contents href=toc.html>Contents</a>]""",
    """<table><tr><td><a accesskey=p href=a.html><img src=p.png alt=Prev></a></td>
    <td>Chapter 2</td><td><a accesskey=N href=b.html>Next</a></td></tr></table>""",
    "<p><a rel='nofollow up' href=..>Up</a></p>",
]


@pytest.mark.parametrize("steps", STEPS)
def test_links_to_neighbouring_pages_are_left_out_as_they_name_themselves(steps):
    bar = f"<div class=head>{steps}</div>"
    assert markdown(f"<div>{bar}<h1>T</h1>{TEXT}{bar}</div>") == markdown(f"<h1>T</h1>{TEXT}")


SENTENCES = "This sentence is long enough to be a part of what the page says. " * 2
KEPT_STEPS = [
    f"<p>{SENTENCES}Go on with <a rel=next href=b.html>the next chapter</a>.</p>",
    "<div><h2>Go on</h2><a rel=next href=b.html>the next chapter</a></div>",
]


@pytest.mark.parametrize("steps", KEPT_STEPS)
def test_a_link_to_the_next_page_within_a_text_stays(steps):
    found = markdown(f"<h1>T</h1>{TEXT}{steps}")
    assert "[the next chapter](https://docs.example.org/guide/b.html)" in found


def test_a_side_bar_larger_than_the_text_does_not_make_it_a_page_of_links():
    html = f"<div class=sidebar><h1><a href=/>Site</a></h1><ul>{LINKS}</ul></div>"
    assert markdown(f"{html}<div><h1>T</h1>{TEXT}</div>") == markdown(f"<h1>T</h1>{TEXT}")


def test_a_list_of_links_larger_than_its_introduction_stays():
    found = markdown(f"<div><h1>Index</h1>{TEXT}<ul>{LINKS}</ul></div>")
    assert found.count("- [Class number") == 400


def test_a_side_bar_of_text_stays():
    found = markdown(f"<div><h1>T</h1>{TEXT}</div><div class=sidebar><p>A note of some words.</p>")
    assert "A note of some words." in found


FURNITURE = [
    '<div class="navigation"><a href=b.html>Next</a></div>',
    '<table class="navigation"><tr><td><a href=b.html>Next</a></td><td>2</td></tr></table>',
    '<div id="nav-path" class="navpath"><ul><li><a href=..>src</a></li></ul></div>',
    '<div id="package-header"><span class="caption">base-4.15</span></div>',
    '<div class="toplang"><p>Available Languages: <a href=de>de</a></p></div>',
    '<div class="t-navbar"><a href=x>Containers</a></div>',
    '<a class="link-seesrc" href="x#L1">Source</a>',
    '<span class="method-click-advice">click to toggle source</span>',
]


@pytest.mark.parametrize("furniture", FURNITURE)
def test_furniture_is_known_by_the_names_that_generators_give_it(furniture):
    assert markdown(f"<main>{furniture}<h1>T</h1>{furniture}{TEXT}</main>") == markdown(
        f"<main><h1>T</h1>{TEXT}</main>"
    )


@pytest.mark.parametrize("around", ["p", "div", "li"])
def test_many_links_to_neighbouring_pages_cost_no_more_than_their_number(around):
    steps = "<a rel=next href=b.html>b</a>" * 4000
    start = time.process_time()
    markdown(f"<h1>T</h1>{TEXT}<{around}>{steps}</{around}>")
    assert time.process_time() - start < 3
