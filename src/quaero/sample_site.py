"""A small web site to crawl: the manual of Tidepool, a library that does not exist.

It is what the demo collects, offline and in a second. About forty linked pages, and one of each
thing that a crawler meets: a broken link, a redirect, a folder that robots.txt refuses, a slow
page, and a page that is overloaded at the first request. `python -m quaero.sample_site` serves it
until interrupted.
"""

# ruff: noqa: ISC004  (the texts are wrapped by hand)

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from quaero.site_server import Answer, Page, SiteServer, redirect
from quaero.work.lifeline import watch_lifeline

ROBOTS = "User-agent: *\nDisallow: /internal/\n"
SLOW = "/archive.html"
BUSY = "/status.html"
BROKEN = "/guide/legacy.html"
MOVED = "/start.html"
REFUSED = "/internal/"


class Function(NamedTuple):
    """One entry of the reference; a parameter is its name, type and meaning."""

    module: str
    name: str
    does: str
    parameters: Sequence[tuple[str, str, str]]
    returns: str
    note: str


_TABLE = ("table", "Table", "the tide table to read from")
_DAY = ("day", "date", "the day, in the zone of the table")
_MOMENT = ("moment", "datetime", "a moment with a time zone")

_FUNCTIONS = (
    Function("tables", "load", "Reads a tide table from a file.",
             [("path", "Path", "a text file, one water a line"), ("zone", "str", "its time zone")],
             "a Table, sorted by time", "Lines that begin with # are comments."),
    Function("tables", "parse_line", "Reads a single line of a tide table.",
             [("line", "str", "a time, a height in metres and H or L")],
             "a Water", "A height with a comma is read like one with a point."),
    Function("tables", "high_waters", "Lists the high waters of a day.", [_TABLE, _DAY],
             "a list of one or two Waters", "On about one day in fifteen there is only one."),
    Function("tables", "low_waters", "Lists the low waters of a day.", [_TABLE, _DAY],
             "a list of one or two Waters", "See the rule for days with a single low water."),
    Function("tables", "height_at", "Estimates the height of the water at a moment.",
             [_TABLE, _MOMENT], "metres above chart datum",
             "Between two waters the rule of twelfths is applied, as a smooth curve."),
    Function("tables", "merge", "Joins tables that follow one another.",
             [("tables", "list of Table", "tables of the same harbour")],
             "one Table", "Waters that appear twice are kept once."),
    Function("harbours", "find", "Finds a harbour by its name.",
             [("name", "str", "a name, in any case, accents ignored")],
             "a Harbour, or None", "Former names are found as well."),
    Function("harbours", "nearest", "Finds the harbours nearest to a position.",
             [("latitude", "float", "degrees north"), ("longitude", "float", "degrees east"),
              ("count", "int", "how many, 5 unless said")],
             "a list of Harbours, nearest first", "Distances are along the great circle."),
    Function("harbours", "depth_at", "Tells how deep the entrance of a harbour is at a moment.",
             [("harbour", "Harbour", "the harbour"), _MOMENT], "metres of water over the sill",
             "The charted depth is added to the height of the tide."),
    Function("harbours", "offset", "Shifts a table to a secondary port.",
             [_TABLE, ("port", "Harbour", "the secondary port")],
             "a new Table", "Time and height differences are taken from the port's record."),
    Function("windows", "passage", "Finds the times at which a boat can pass.",
             [_TABLE, _DAY, ("draught", "float", "metres"), ("margin", "float", "metres to spare")],
             "a list of Windows", "A window may begin before midnight; it is listed on both days."),
    Function("windows", "slack", "Finds the minutes of slack water around each turn of the tide.",
             [_TABLE, _DAY], "a list of Windows", "Slack is a change below 5 cm in 10 minutes."),
    Function("windows", "spring_days", "Lists the days with the greatest range of a month.",
             [_TABLE, ("month", "int", "1 to 12")], "a list of dates", "Usually two a month."),
    Function("windows", "neap_days", "Lists the days with the smallest range of a month.",
             [_TABLE, ("month", "int", "1 to 12")], "a list of dates", "A week after the springs."),
    Function("export", "to_csv", "Writes a table as comma separated values.",
             [_TABLE, ("path", "Path", "the file to write")], "nothing",
             "The first line names the columns: time, height, kind."),
    Function("export", "to_calendar", "Writes passage windows as a calendar.",
             [("windows", "list of Window", "what to write"), ("path", "Path", "an .ics file")],
             "nothing", "Each window becomes an event with the least depth in its title."),
)  # fmt: skip

_GUIDE = (
    ("install", "Installation", "Tidepool needs Python 3.9 or later and nothing else. Install it "
     "into an environment of your own, and check it by asking for its version.",
     "pip install tidepool\npython -m tidepool --version"),
    ("first-table", "Your first tide table", "A tide table is a text file with one high or low "
     "water a line. Load it, name its time zone, and ask for the waters of a day.",
     'table = tables.load("brest.txt", zone="Europe/Paris")\ntables.high_waters(table, today)'),
    ("heights", "Heights between the tides", "A table lists only the turns of the tide. For any "
     "moment between them the height is estimated with a cosine, which follows the well known rule "
     "of twelfths within a few centimetres.", "tables.height_at(table, now)  # 4.31"),
    ("harbours", "Harbours and their depths", "The library knows the sill of some four hundred "
     "harbours. Depth over the sill is the charted depth plus the height of the tide.",
     'harbour = harbours.find("Saint-Malo")\nharbours.depth_at(harbour, now)'),
    ("windows", "When can I pass?", "A passage window is a span of time in which the depth stays "
     "above draught and margin. Choose the margin for the swell, not for the chart.",
     "windows.passage(table, today, draught=1.8, margin=0.5)"),
    ("secondary-ports", "Secondary ports", "Small ports have no table of their own. Their times "
     "and heights are differences from a standard port, which differ for springs and neaps.",
     'harbours.offset(table, harbours.find("Paimpol"))'),
    ("time-zones", "Time zones and summer time", "Printed tables are mostly in standard time all "
     "year. Name that zone when loading; answers are given in the zone you ask in.",
     'tables.load("brest.txt", zone="UTC+1")'),
    ("export", "Calendars and spreadsheets", "Windows can be written as a calendar that a phone "
     "understands, and whole tables as comma separated values.",
     'export.to_calendar(found, "passages.ics")'),
)  # fmt: skip

_GLOSSARY = (
    ("chart-datum", "Chart datum", "The level from which depths on a chart and heights of the tide "
     "are measured, close to the lowest tide that the moon and sun can make."),
    ("draught", "Draught", "How deep a boat reaches below the surface of the water."),
    ("neap", "Neap tide", "The tide of the smallest range, about two days after a half moon."),
    ("spring", "Spring tide", "The tide of the greatest range, about two days after full and new "
     "moon. The name has nothing to do with the season."),
    ("sill", "Sill", "The highest point of the ground in the entrance of a harbour; it decides "
     "when a boat can pass."),
    ("slack", "Slack water", "The minutes around the turn of the tide when it hardly moves."),
    ("range", "Range", "The difference in height between a high water and the next low water."),
    ("twelfths", "Rule of twelfths", "A rule of thumb: in six hours the tide rises by one, two, "
     "three, three, two and one twelfths of its range."),
)  # fmt: skip

_FAQ = (
    ("Why does my day have only one high water?", "Two tides take about 24 hours and 50 minutes, "
     "so every fifteen days or so the second one falls into the next day."),
    ("How exact are the heights?", "Within 10 cm of the table in calm weather. Wind and pressure "
     "can move the water by half a metre, and no table knows them in advance."),
    ("Can I use it for navigation?", "As a help beside the official tables, never in their place."),
    ("Does it work offline?", "Yes. The library opens no connection of any kind."),
)  # fmt: skip

_CHANGES = (
    ("2.1", "Windows that cross midnight are listed on both days.", "windows", "passage"),
    ("2.0", "Moments need a time zone; those without are refused.", "tables", "height_at"),
    ("1.4", "Former names of harbours are found.", "harbours", "find"),
    ("1.3", "Calendars carry the least depth in the title.", "export", "to_calendar"),
    ("1.2", "Tables that follow one another can be joined.", "tables", "merge"),
)


def pages() -> dict[str, Answer]:
    """Every page of the site by its path, robots.txt not included."""
    site: dict[str, Answer] = {
        "/": _index(),
        "/guide/": _page("Guide", "From installation to a calendar of passages.",
                         _links((f"/guide/{slug}.html", title) for slug, title, *_ in _GUIDE)),
        "/api/": _page("Reference", "All functions by module.", _function_table()),
        "/glossary/": _page("Glossary", "The words of the tide, as this manual uses them.",
                            _links((f"/glossary/{slug}.html", word)
                                   for slug, word, _ in _GLOSSARY)),
        "/faq.html": _page("Questions and answers", "What is asked most often.", "".join(
            f"<h2>{question}</h2><p>{answer}</p>" for question, answer in _FAQ)),
        "/changelog.html": _changelog(),
        SLOW: Page(body=_page("Archive", "Older releases; this page takes a second to compile.",
                              "<ul><li>1.1, first public release</li><li>1.0, preview</li></ul>"),
                   delay=1.0),
        BUSY: [Page(status=503, headers={"Retry-After": "1"}, body="Busy, please try again."),
               Page(body=_page("Status", "State of the download mirrors.", "<p>All are up.</p>"))],
        MOVED: redirect("/guide/install.html", 301),
        f"{REFUSED}notes.html": _page("Internal notes", "Not for robots.", "<p>Draft.</p>"),
        f"{REFUSED}plans.html": _page("Internal plans", "Not for robots.", "<p>Draft.</p>"),
    }  # fmt: skip
    for at, (slug, title, text, code) in enumerate(_GUIDE):
        site[f"/guide/{slug}.html"] = _guide_page(at, title, text, code)
    for function in _FUNCTIONS:
        site[_path(function)] = _function_page(function)
    for slug, word, meaning in _GLOSSARY:
        others = [
            (f"/glossary/{other}.html", name) for other, name, _ in _GLOSSARY if other != slug
        ]
        body = f"<p>{meaning}</p><h2>Other words</h2>{_links(others)}"
        site[f"/glossary/{slug}.html"] = _page(word, f"{word}: {meaning}", body)
    return site


async def serve(host: str = "127.0.0.1", port: int = 0) -> SiteServer:
    """Start the site in the running loop; it has a `url`, and `await close()` ends it."""
    site = SiteServer(pages(), robots=ROBOTS, host=host, port=port)
    await site.start()
    return site


def _index() -> str:
    return _page(
        "Tidepool", "A small library for tide tables, harbours and passage windows.",
        "<p>Tidepool reads tide tables and answers the question that matters on board: <em>when "
        "can I pass?</em> It is small, exact enough for planning, and works without a network.</p>"
        + _links([
            (MOVED, "Quick start"), ("/guide/", "Guide"), ("/api/", "Reference"),
            ("/glossary/", "Glossary"), ("/faq.html", "Questions"), (SLOW, "Archive"),
            ("/changelog.html", "Changes"), (BUSY, "Status of the mirrors"),
            (f"{REFUSED}notes.html", "Notes of the authors"),
            (f"{REFUSED}plans.html", "Plans of the authors"),
        ]),
    )  # fmt: skip


def _guide_page(at: int, title: str, text: str, code: str) -> str:
    following = _GUIDE[(at + 1) % len(_GUIDE)]
    return _page(
        title,
        text.partition(". ")[0] + ".",
        f"<p>{text}</p><pre><code class='language-python'>{escape(code)}</code></pre>"
        f"<p>Next: <a href='/guide/{following[0]}.html'>{following[1]}</a>. The "
        "<a href='/api/'>reference</a> has every function, the <a href='/glossary/'>glossary</a> "
        "every word.</p>",
    )


def _function_page(function: Function) -> str:
    names = ", ".join(name for name, _, _ in function.parameters)
    rows = [(f"<code>{n}</code>", kind, meaning) for n, kind, meaning in function.parameters]
    same = [f for f in _FUNCTIONS if f.module == function.module and f is not function]
    return _page(
        f"{function.module}.{function.name}",
        function.does,
        f"<pre><code>tidepool.{function.module}.{function.name}({names})</code></pre>"
        f"<h2>Parameters</h2>{_table(('Name', 'Type', 'Meaning'), rows)}"
        f"<h2>Returns</h2><p>{function.returns[0].upper()}{function.returns[1:]}.</p>"
        f"<h2>Notes</h2><p>{function.note}</p><h2>In the same module</h2>"
        + _links((_path(f), f"{f.module}.{f.name}") for f in same),
    )


def _function_table() -> str:
    rows = [(f"<a href='{_path(f)}'>{f.module}.{f.name}</a>", f.does) for f in _FUNCTIONS]
    return _table(("Function", "Purpose"), rows)


def _changelog() -> str:
    entries = "".join(
        f"<h2>{version}</h2><p>{text} See <a href='/api/{module}.{name}.html'>{name}</a>.</p>"
        for version, text, module, name in _CHANGES
    )
    older = f"<p>Before 1.2 see the <a href='{BROKEN}'>guide to version 1</a>.</p>"
    return _page("Changes", "What is new in each release.", entries + older)


def _path(function: Function) -> str:
    return f"/api/{function.module}.{function.name}.html"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _links(targets: Iterable[tuple[str, str]]) -> str:
    return "<ul>" + "".join(f"<li><a href='{to}'>{text}</a></li>" for to, text in targets) + "</ul>"


def _page(title: str, summary: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title} | Tidepool"
        f"</title><meta name='description' content='{escape(summary)}'></head><body><nav>"
        "<a href='/'>Tidepool</a> <a href='/guide/'>Guide</a> <a href='/api/'>Reference</a></nav>"
        f"<main><h1>{title}</h1><p>{summary}</p>{body}</main>"
        "<footer><p>Tidepool is a sample: there is no such library.</p></footer></body></html>"
    )


async def _serve_until_interrupted() -> None:
    """A handler of the loop wakes it; asyncio's own is not seen by a loop about to sleep."""
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    site = await serve()
    sys.stdout.write(f"{site.url}/\n")
    sys.stdout.flush()
    await interrupted.wait()
    await site.close()


def main() -> None:
    """Serve the site and print its address; an interrupt ends it."""
    watch_lifeline(1.0)
    asyncio.run(_serve_until_interrupted())
    sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
