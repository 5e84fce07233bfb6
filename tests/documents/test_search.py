from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quaero.db import SqliteDatabase
from quaero.documents import fulltext, store
from quaero.documents.model import NewDocument, content_hash
from quaero.documents.query import parse
from quaero.documents.search import COUNTED, Results, search
from quaero.documents.snippet import LENGTH, Finder, Snippet, fold
from quaero.errors import BadInput

Page = Callable[..., NewDocument]

SOURCES = {"Team Wiki": 1, "jira": 2}


def document(name: str, title: str, text: str, **given: Any) -> NewDocument:
    return NewDocument(
        url=f"https://{given.pop('site', 'docs.example.org')}/{name}",
        title=title,
        text=text,
        content_hash=content_hash(title, text),
        **given,
    )


LIBRARY = [
    document("kafka", "Kafka streams", "Exactly once delivery with Kafka. Partitions and logs.",
             source_id=1, tags=("queue", "java"), published="2023-03-01"),
    document("rabbit", "RabbitMQ", "At least once delivery. Not like Kafka: queues, exchanges.",
             source_id=1, tags=("queue",), published="2024-03-01"),
    document("sqlite", "SQLite as a queue", "A queue in one table. Exactly one writer, once.",
             source_id=2, source_type="jira", tags=("database",), modified="2025-01-15T08:00:00Z"),
    document("cafe", "Café Müller", "Über den Bächen liegt ein Café. IT is here.",
             site="kaffee.example", source_type="confluence", published="2022-01-01"),
    document("tokyo/guide", "東京の案内", "東京は日本の首都です。中文文档 snake_case camelCase",
             site="sub.docs.example.org", published="2021-01-01"),
    document("shout", "it", "With WITH wITh it; foo-bar foo bar. C++ and .NET, e.g. 3.14",
             site="kaffee.example:8080", published="2020-01-01"),
]  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteDatabase]:
    path: Path = tmp_path_factory.mktemp("library") / "q.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(store.save, LIBRARY)
        yield db


def ask(db: SqliteDatabase, query: str, **given: Any) -> Results:
    return db.read_sync(search, query, sources=SOURCES, **given)


def names(results: Results) -> list[str]:
    return [hit.document.url.rpartition("/")[2] for hit in results.hits]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # words and phrases
        ("kafka", {"kafka", "rabbit"}),
        ("KAFKA", {"kafka", "rabbit"}),
        ("once delivery", {"kafka", "rabbit"}),
        ("exactly once", {"kafka", "sqlite"}),
        ('"exactly once"', {"kafka"}),
        ('"once exactly"', set()),
        ("cafe", {"cafe"}),
        ("CAFÉ muller", {"cafe"}),
        ("uber", {"cafe"}),
        ("foo-bar", {"shout"}),
        ("snake_case", {"guide"}),
        ("c++", {"shout"}),
        (".net", {"shout"}),
        ("3.14", {"shout"}),
        ("delivery.", {"kafka", "rabbit"}),
        # scripts without spaces: parts of a run
        ("東京", {"guide"}),
        ("首都", {"guide"}),
        ("文文", {"guide"}),
        ("京東", set()),
        ("中文文档", {"guide"}),
        # must and not
        ("kafka -queues", {"kafka"}),
        ("once -kafka", {"sqlite"}),
        ('once -"exactly once"', {"rabbit", "sqlite"}),
        ("+kafka exchanges", {"rabbit"}),
        ("-kafka", {"sqlite", "cafe", "guide", "shout"}),
        ("-kafka -queue", {"cafe", "guide", "shout"}),
        # or
        ("muller OR partitions", {"cafe", "kafka"}),
        ("delivery exchanges OR partitions", {"kafka", "rabbit"}),
        # beginnings
        ("part*", {"kafka"}),
        ("exch* deliv*", {"rabbit"}),
        ("-ka* -qu*", {"cafe", "guide", "shout"}),
        # title
        ("title:queue", {"sqlite"}),
        ("title:kaf*", {"kafka"}),
        ('title:"as a queue"', {"sqlite"}),
        ("-title:kafka kafka", {"rabbit"}),
        # fields
        ("source:1", {"kafka", "rabbit"}),
        ('source:"team wiki"', {"kafka", "rabbit"}),
        ("source:JIRA", {"sqlite"}),
        ("source:nobody", set()),
        ("-source:1 once", {"sqlite"}),
        ("source:99999999999999999999", set()),
        ("type:jira", {"sqlite"}),
        ("type:Confluence", {"cafe"}),
        ("type:jira OR type:confluence", {"sqlite", "cafe"}),
        ("tag:queue", {"kafka", "rabbit"}),
        ("tag:QUEUE tag:java", {"kafka"}),
        ("tag:queue -tag:java", {"rabbit"}),
        ("tag:database OR tag:java", {"sqlite", "kafka"}),
        ("tag:database OR partitions", {"sqlite", "kafka"}),
        ("-tag:database once", {"kafka", "rabbit"}),
        ("site:docs.example.org", {"kafka", "rabbit", "sqlite", "guide"}),
        ("site:example.org", {"kafka", "rabbit", "sqlite", "guide"}),
        ("site:sub.docs.example.org", {"guide"}),
        ("site:xdocs.example.org", set()),
        ("site:kaffee.example", {"cafe"}),
        ("site:kaffee.example:8080", {"shout"}),
        ("site:example.org/tokyo", {"guide"}),
        ("site:https://docs.example.org/ka", {"kafka"}),
        ("site:%", set()),
        ("-site:example.org", {"cafe", "shout"}),
        # dates
        ("before:2022", {"guide", "shout"}),
        ("before:2022-01-02", {"cafe", "guide", "shout"}),
        ("after:2024-03", {"rabbit", "sqlite"}),
        ("after:2023 before:2024", {"kafka"}),
        ("after:2025-01-15T08:00:00Z", {"sqlite"}),
        ("after:2025-01-15T08:00:01Z", set()),
        ("-before:2025", {"sqlite"}),
        # case
        ("IT case:match", {"cafe"}),
        ("WITH case:match", {"shout"}),
        ("kafka case:match", set()),
        ("Kafka case:match", {"kafka", "rabbit"}),
        ("Café case:match", {"cafe"}),
        ("Cafe case:match", set()),
        ('"Exactly once" case:match', {"kafka"}),
        ("camelC* case:match", {"guide"}),
        ("camelc* case:match", set()),
        ("once -Exactly case:match", {"rabbit"}),
        ("once -exactly case:match", {"kafka", "rabbit", "sqlite"}),
        ("-Kafka case:match", {"sqlite", "cafe", "guide", "shout"}),
        ("title:Kafka case:match", {"kafka"}),
        ("title:kafka case:match", set()),
        ("東京 case:match", {"guide"}),
        # nothing to ask
        ("", set()),
        ("!!!", set()),
        ('"', set()),
    ],
)
def test_a_query_finds(library: SqliteDatabase, query: str, expected: set[str]) -> None:
    results = ask(library, query)
    assert not results.relaxed
    assert set(names(results)) == expected
    assert results.total == len(expected)


WORLD = {
    "german": "Die Straße führt über die Brücke, Maße und Gewichte.",
    "swiss": "Die Strasse führt über die Brücke.",
    "russian": "Это страница про ёлку и ёлка.",
    "turkish": "Diyarbakır limanı ve ılık su.",
    "danish": "Ærø ligger i havet ved Łódź.",
    "vietnamese": "Cảng Đà Nẵng.",
    "arabic": "هذا كِتَابٌ جميل عن الأحمر",
    "hebrew": "אמר שָׁלוֹם",
    "korean": "조석표를 검색합니다.",
    "forms": "A ﬁle of ２０２６, ﾃｽﾄ.",
    "shy": "Donau\u00addampf\u00adschiff",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteDatabase]:
    path: Path = tmp_path_factory.mktemp("world") / "q.db"
    with SqliteDatabase.open(path) as db:
        db.write_sync(store.save, [document(name, name, text) for name, text in WORLD.items()])
        yield db


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("strasse", {"german", "swiss"}),
        ("STRAßE", {"german", "swiss"}),
        ("masse", {"german"}),
        ("елка", {"russian"}),
        ("ёлк*", {"russian"}),
        ("diyarbakir", {"turkish"}),
        ("ILIK", {"turkish"}),
        ("aero lodz", {"danish"}),
        ('"da nang"', {"vietnamese"}),
        ("كتاب", {"arabic"}),
        ("كِتَاب", {"arabic"}),
        ("الاحمر", {"arabic"}),
        ("שלום", {"hebrew"}),
        ("조석표", {"korean"}),
        ("검색", {"korean"}),
        ("석조", set()),
        ("file 2026 テスト", {"forms"}),
        ("donaudampfschiff", {"shy"}),
        ("brücke -straße", set()),
        ("title:korean", {"korean"}),
    ],
)
def test_letters_are_found_as_people_type_them(
    world: SqliteDatabase, query: str, expected: set[str]
) -> None:
    results = world.read_sync(search, query)
    assert not results.relaxed
    assert set(names(results)) == expected


def test_what_was_indexed_as_it_is_written_is_still_found(
    db: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(fulltext, "indexed", fulltext._once_indexed)
        db.write_sync(store.save, [document(name, name, text) for name, text in WORLD.items()])
    for query, name in [("Maße", "german"), ("ёлка", "russian"), ("조석표를", "korean")]:
        assert names(db.read_sync(search, query)) == [name]
    assert names(db.read_sync(search, "елка")) == []
    db.write_sync(fulltext.rebuild_some)
    assert names(db.read_sync(search, "елка")) == ["russian"]


@pytest.mark.parametrize(
    ("query", "first", "expected"),
    [
        ("partitions exchanges", None, {"kafka", "rabbit"}),
        ("partitions nothere", "kafka", {"kafka"}),
        ("+kafka nothere", None, {"kafka", "rabbit"}),
        ("+kafka exchanges nothere", "rabbit", {"kafka", "rabbit"}),
        ('"exactly once" nothere', "kafka", {"kafka"}),
        ("partitions exchanges -rabbitmq", "kafka", {"kafka"}),
        ("partitions exchanges tag:java", "kafka", {"kafka"}),
        ("Kafka nothere case:match", None, {"kafka", "rabbit"}),
        ("+nothere kafka", None, set()),
        ('"not here" kafka', None, set()),
        ("nothere", None, set()),
    ],
)
def test_where_nothing_has_all_words_some_are_enough(
    library: SqliteDatabase, query: str, first: str | None, expected: set[str]
) -> None:
    results = ask(library, query)
    assert set(names(results)) == expected
    assert results.relaxed is bool(expected)
    assert first is None or names(results)[0] == first


def test_a_word_in_the_title_weighs_more(library: SqliteDatabase) -> None:
    assert names(ask(library, "kafka")) == ["kafka", "rabbit"]
    assert names(ask(library, "queue")) == ["sqlite"]


def test_hits_are_numbered_and_tell_their_document(library: SqliteDatabase) -> None:
    hits = ask(library, "kafka").hits
    assert [hit.rank for hit in hits] == [1, 2]
    assert hits[0].document.tags == ("java", "queue")
    assert hits[0].title == "Kafka streams"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type:issue", {"crash"}), ("pump type:issue", {"crash"}), ("-type:issue", {"guide", "b"}),
        ("type:page", {"guide", "b"}), ("type:jira", {"crash", "b"}), ("type:nothing", set()),
        ("type:issue OR type:web", {"crash", "guide"}),
    ],
)  # fmt: skip
def test_a_type_is_what_a_page_is_about_or_the_kind_of_its_source(
    db: SqliteDatabase, page: Page, query: str, found: set[str]
) -> None:
    db.write_sync(
        store.save,
        [page("guide", "pump"), page("b", "pump", source_type="jira"),
         page("crash", "pump", source_type="jira", entity_type="issue")],
    )  # fmt: skip
    assert {hit.document.url.rpartition("/")[2] for hit in ask(db, query).hits} == found
    assert ask(db, "pump").facets.types == {"jira": 2, "web": 1, "issue": 1}


def test_facets_count_what_was_found(library: SqliteDatabase) -> None:
    facets = ask(library, "once").facets
    assert facets.sources == {1: 2, 2: 1}
    assert facets.types == {"web": 2, "jira": 1}
    assert facets.sites == {"docs.example.org": 3}
    assert facets.tags == {"queue": 2, "java": 1, "database": 1}


# -- pages


def test_pages_follow_one_another_without_a_gap(db: SqliteDatabase, page: Page) -> None:
    db.write_sync(store.save, [page(f"p{n:02}", "word " * (n + 1)) for n in range(25)])
    seen: list[str] = []
    cursor, ranks = None, []
    while True:
        results = db.read_sync(search, "word", limit=10, cursor=cursor)
        assert results.total == 25
        seen += names(results)
        ranks += [hit.rank for hit in results.hits]
        if (cursor := results.cursor) is None:
            break
    assert ranks == list(range(1, 26))
    assert len(set(seen)) == 25


@pytest.mark.parametrize("gone", [[0], [3], [2, 3], [0, 1, 2, 3]], ids=str)
def test_a_page_begins_behind_the_last_one_though_documents_came_and_went(
    db: SqliteDatabase, page: Page, gone: list[int]
) -> None:
    pages = [page(f"p{n:02}", "word " * (30 - n)) for n in range(12)]
    db.write_sync(store.save, pages)
    first = db.read_sync(search, "word", limit=4)
    db.write_sync(store.delete, [first.hits[place].document.id for place in gone])
    if len(gone) < 4:
        db.write_sync(store.save, [page("new", "word " * 60)])
    following = db.read_sync(search, "word", limit=4, cursor=first.cursor)
    expected = "p04" if len(gone) < 4 else "p08"  # where none is left, by number
    assert names(first)[0] == "p00"
    assert names(following)[0] == expected


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "W10=", "WzEsMl0=", "bnVsbA=="])
def test_a_cursor_that_is_none_is_refused(library: SqliteDatabase, cursor: str) -> None:
    with pytest.raises(BadInput):
        ask(library, "kafka", cursor=cursor)


def test_a_cursor_of_another_query_is_refused(library: SqliteDatabase) -> None:
    cursor = ask(library, "kafka", limit=1).cursor
    assert cursor is not None
    assert names(ask(library, "kafka", limit=1, cursor=cursor)) == ["rabbit"]
    with pytest.raises(BadInput):
        ask(library, "once", limit=1, cursor=cursor)


@pytest.mark.parametrize(("count", "total", "more"), [(0, COUNTED, False), (1, COUNTED, True)])
def test_total_and_facets_are_exact_up_to_a_limit(
    db: SqliteDatabase, page: Page, count: int, total: int, more: bool
) -> None:
    def fill(tx: Any) -> None:
        given = {"content_hash": "x", "words": 1}
        store.save(tx, [page(str(n), "word", **given) for n in range(COUNTED + count)])

    db.write_sync(fill)
    for query in ("word", "type:web"):
        results = db.read_sync(search, query)
        assert (results.total, results.more) == (total, more)
        assert results.facets.types == {"web": total}
        assert results.cursor is not None


# -- anything


PIECES = st.sampled_from(
    ['"', "-", "+", "*", ":", " OR ", " AND ", " ", "(", ")", "title:", "tag:", "before:", "kafka",
     "2024", " case:match ", "site:", "source:", "once", "ß", "東", "\0", "\ud800", "NEAR", "^",
     "{", "\\", "'", ";--", "%", "\u200b", "\ue000", "\u0301", "a*", "٣"]
)  # fmt: skip
ANYTHING = st.one_of(st.text(), st.lists(PIECES).map("".join))


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_text_can_be_searched_for(library: SqliteDatabase, text: str) -> None:
    results = ask(library, text)
    assert results.total == len(results.hits) <= len(LIBRARY)
    for hit in results.hits:
        check(hit.snippet)


@pytest.mark.parametrize(
    "query", ["a " * 5_000, '"' + "once " * 5_000 + '"', "中" * 5_000, "a-" * 5_000, "-a " * 5_000,
              "title:a OR " * 500, "tag:a OR " * 500, "-(" * 3_000, "once OR tag:x " * 60]
)  # fmt: skip
def test_a_long_query_is_answered(library: SqliteDatabase, query: str) -> None:
    assert ask(library, query).cut


# -- snippets


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def check(snippet: Snippet) -> None:
    assert not any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in snippet.text)
    assert not any(unicodedata.bidirectional(sign) in TURNING for sign in snippet.text)
    assert len(snippet.text) <= LENGTH + 2
    place = 0
    for start, end in snippet.marks:
        assert place <= start < end <= len(snippet.text)
        place = end
    assert "".join(text for text, _ in snippet.pieces) == snippet.text


def cut(query: str, text: str) -> Snippet:
    parsed = parse(query)
    snippet = Finder(parsed.texts(), exact=parsed.exact).snippet(text)
    check(snippet)
    return snippet


def marked(snippet: Snippet) -> list[str]:
    return [text for text, mark in snippet.pieces if mark]


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("kafka", "About Kafka and KAFKA, not kafkaesque.", ["Kafka", "KAFKA"]),
        ("uber", "Das Über-Ich", ["Über"]),
        ("straße", "Die Straße", ["Straße"]),
        ("kaf*", "Kafkaesque kafka", ["Kafkaesque", "kafka"]),
        ('"exactly once"', "Exactly\n once, not once exactly", ["Exactly once"]),
        ("foo-bar", "foo_bar and foo bar, foobar", ["foo_bar", "foo bar"]),
        ("首都", "日本の首都です", ["首都"]),
        ("a OR b", "a b c", ["a", "b"]),
        ("a -b", "a b c", ["a"]),
        ("IT case:match", "it is IT", ["IT"]),
        ("tag:x", "nothing is marked", []),
        # as people type it, or as it is written
        ("strasse", "Die Straße, die STRASSE", ["Straße", "STRASSE"]),
        ("Straße", "Die Strasse: Straßen", ["Strasse"]),
        ("masse", "MASSE und Maße", ["MASSE", "Maße"]),
        ("елка", "моя ёлка", ["ёлка"]),
        ("diyarbakir", "Diyarbakır", ["Diyarbakır"]),
        ("danang OR da", "Đà Nẵng", ["Đà"]),
        ("file", "the ﬁle", ["ﬁle"]),
        ("2026", "２０２６ 年", ["２０２６"]),
        ("テスト", "ﾃｽﾄとテスト", ["ﾃｽﾄ", "テスト"]),
        ("كتاب", "كِتَابٌ جميل", ["كِتَابٌ"]),
        ("שלום", "אמר שָׁלוֹם", ["שָׁלוֹם"]),
        # marks belong to their letter, particles to no word
        ("हिन्दी", "एक हिन्दी वाक्य", ["हिन्दी"]),
        ("조석표", "조석표를 검색", ["조석표"]),
        ("می‌خواهم", "من می‌خواهم", ["می‌خواهم"]),
        ("अवन", "അവന്‍ പോയി", []),
        ("missing", "nothing is marked", []),
        # a letter and its marks apart, as some systems write them
        ("résumé", "the re\u0301sume\u0301", ["résumé"]),
        ("Résumé case:match", "re\u0301sume\u0301, Re\u0301sume\u0301", ["Résumé"]),
    ],
)
def test_a_snippet_marks_what_was_looked_for(query: str, text: str, words: list[str]) -> None:
    assert marked(cut(query, text)) == words


def test_joiners_stay_in_snippets_and_titles() -> None:
    text = "من می\u200cخواهم, അവന്\u200d 👩\u200d👧"
    assert cut("x", text).text == text


def test_a_snippet_shows_the_place_where_most_words_meet() -> None:
    filler = "nothing to see " * 60
    text = f"alpha {filler} alpha alpha {filler} alpha beta gamma {filler} gamma"
    snippet = cut("alpha beta gamma", text)
    assert marked(snippet) == ["alpha", "beta", "gamma"]
    assert snippet.text.startswith("…")
    assert snippet.text.endswith("…")


@pytest.mark.parametrize(
    ("markdown", "line"),
    [
        ("# Title\n\nThe **bold** word", "Title The bold word"),
        ("see [the word](https://x.example/a_b) here", "see the word here"),
        ("![picture](a.png) word", "picture word"),
        ("see [Word](https://x.example/Word_(data_type)) here", "see Word here"),
        ("- one\n- two word\n", "one two word"),
        ("| a | b |\n|---|:-:|\n| word | d |", "a b word d"),
        ("> a `word` of code", "a word of code"),
        ("a\x1b[31mword\x07\x9b \u202eevil\u2066\u200b", "a [31mword evil"),
        ("<script>word</script> & more", "<script>word</script> & more"),
    ],
)
def test_a_snippet_is_one_plain_line(markdown: str, line: str) -> None:
    assert " ".join(cut("word", markdown).text.split()) == line


@pytest.mark.parametrize("before", range(55, 130, 3))
def test_a_snippet_begins_and_ends_with_whole_words(before: int) -> None:
    words = ("harbour " * 40)[:before].rsplit(" ", 1)[0]
    snippet = cut("word", f"{words}\nand word {'harbour ' * 60}")
    assert set(snippet.text.strip("…").split()) <= {"harbour", "and", "word"}


@pytest.mark.parametrize("sign", ["ที่", "கொ", "👩\u200d👧\u200d👦"])
@pytest.mark.parametrize("before", range(300, 312))
def test_a_snippet_cuts_no_sign_of_a_text_without_blanks(before: int, sign: str) -> None:
    text = f"{'ก' * before}{sign * 40}首都{sign * 400}"
    before_it, found, after_it = (each.strip("…") for each, _ in cut("首都", text).pieces)
    assert (before_it, found) == (sign * (len(before_it) // len(sign)), "首都")
    assert after_it == sign * (len(after_it) // len(sign))


def test_a_snippet_of_an_empty_text_is_empty() -> None:
    assert cut("word", "") == Snippet("")


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text())
def test_any_text_has_a_snippet(query: str, text: str) -> None:
    cut(query, text)


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


LINKED = """Read the [tide (table)](https://a.example/t_(x)/harbour.html) first,
![then](https://a.example/i.png) go to [東京](https://a.example/)都. `a[i](b: c)`
"""


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ('"the tide table first then go to"', 1),
        ('"tide https"', 0),
        ("東京都", 1),
        ("harbour", 1),
        ("https://a.example/t_(x)/harbour.html", 1),
        ('"a i b c"', 1),
        ('case:match "tide table first"', 1),
        ('case:match "Tide table first"', 0),
    ],
)
def test_addresses_do_not_stand_between_words_and_are_found(
    tmp_path: Path, query: str, total: int
) -> None:
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        db.write_sync(store.save, [document("linked", "Linked", LINKED)])
        results = ask(db, query)
    assert (results.total, results.relaxed) == (total, False)


@pytest.mark.parametrize("query", ["domain", "restarts", "DOMAIN name system", "omain", '"of re"'])
def test_a_word_is_found_of_which_a_part_is_set_apart(tmp_path: Path, query: str) -> None:
    with SqliteDatabase.open(tmp_path / "q.db") as db:
        text = "The **D**omain **N**ame *S*ystem of re*start*s, and `2**3`."
        db.write_sync(store.save, [document("marked", "Marked", text)])
        results = ask(db, query)
    assert (results.total, results.relaxed) == (1, False)


def test_long_runs_of_marks_are_indexed_at_once() -> None:
    for text in ("a" * 2_000_000 + "*b", "a*" * 500_000, "*" * 2_000_000 + "a", "a" * 2_000_000):
        began = time.process_time()
        fulltext.indexed(text)
        assert time.process_time() - began < 2


def test_a_snippet_marks_a_phrase_that_a_link_is_part_of() -> None:
    filler = "word " * 2_000
    finder = Finder(parse('"old harbour wall"').texts(), exact=False)
    found = finder.snippet(f"{filler}the [old harbour](https://a.example/x_(y)) wall\n{filler}")
    assert [piece for piece, marked in found.pieces if marked] == ["old harbour wall"]
