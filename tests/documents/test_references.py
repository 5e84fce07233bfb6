"""References: found by the form of addresses and of keys, kept with documents, read from both ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from quaero.documents import referring, store
from quaero.documents.model import Filter, NewDocument, content_hash
from quaero.documents.references import MOST, find

JIRA = "https://jira.example.org/jira"
WIKI = "https://wiki.example.org"


@pytest.mark.parametrize(
    ("address", "kind", "key"),
    [
        (f"{JIRA}/browse/ACME-12", "issue", "ACME-12"),
        (f"{JIRA}/browse/ACME-12?focusedCommentId=7", "issue", "ACME-12"),
        (f"{JIRA}/projects/ACME/issues/ACME-12", "issue", "ACME-12"),
        ("https://a.example/secure/RapidBoard.jspa?rapidView=2&selectedIssue=X1-9", "issue",
         "X1-9"),
        ("https://github.com/acme/pump.js/issues/7", "issue", "acme/pump.js#7"),
        ("https://github.com/acme/pump/pull/12", "pull_request", "acme/pump#12"),
        ("https://github.com/acme/pump/pull/12/files#diff-1", "pull_request", "acme/pump#12"),
        ("https://forge.example/acme/pump/pulls/3", "pull_request", "acme/pump#3"),
        ("https://bitbucket.org/acme/pump/pull-requests/4", "pull_request", "acme/pump#4"),
        ("https://git.example/projects/AC/repos/pump/pull-requests/5/overview", "pull_request",
         "AC/pump#5"),
        ("https://gitlab.com/acme/deep/pump/-/merge_requests/6", "pull_request", "acme/deep/pump#6"),
        (f"{JIRA}/secure/ViewProfile.jspa?name=ann", "mention", "ann"),
        (f"{WIKI}/display/~bob", "mention", "bob"),
        (f"{WIKI}/wiki/people/5b10:a-1", "mention", "5b10:a-1"),
        (f"{WIKI}/pages/viewpage.action?pageId=77", "page", "77"),
        (f"{WIKI}/pages/viewpage.action?src=x&pageId=77", "page", "77"),
        (f"{WIKI}/wiki/spaces/TEAM/pages/77/Release+plan", "page", "77"),
        (f"{WIKI}/display/TEAM/Release+plan%3F", "page", "TEAM/Release plan?"),
    ],
)  # fmt: skip
def test_an_address_of_this_form_is_a_reference(address: str, kind: str, key: str) -> None:
    for text in (f"See [this]({address}).", f"See {address}, please", address):
        (found,) = find(text)
        assert (found.kind, found.key) == (kind, key)
        assert found.url is not None
        assert address.startswith(found.url)


@pytest.mark.parametrize(
    "text",
    [
        "", "UTF-8", "ACME-12 alone on a page of any site",
        "https://example.org/browse/", "https://example.org/browse/acme-1",
        "https://example.org/browse/ACME-0", "https://example.org/pull/12",
        "https://github.com/acme/pump/pull/x", "https://example.org/display/TEAM",
        "browse/ACME-12 without a host",
    ],
)  # fmt: skip
def test_this_is_no_reference(text: str) -> None:
    assert find(text) == ()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Fixed by ACME-12, ACME-13 (see OPS_2-1).", ["ACME-12", "ACME-13", "OPS_2-1"]),
        ("UTF-8 ISO-8859-1 ISO-8601 SHA-256 SHA3-512 CVE-2024-1234 RFC-9110 COVID-19 MD-5", []),
        ("IPV6-1 TLS-1 HTTP-2 WINDOWS-1252 GPT-4 UTC-5 AES-128 X-1", []),
        ("v2.ACME-1 a/ACME-2 ACME-3-x xACME-4 ACME-5.2 #ACME-6 ACME-07", []),
        ("ACME-1. ACME-2: [ACME-3] **ACME-4** `ACME-5`", [f"ACME-{n}" for n in range(1, 6)]),
    ],
)
def test_a_written_key_counts_in_products_where_it_is_plausible(text: str, keys: list[str]) -> None:
    assert [each.key for each in find(text, "jira")] == keys
    assert [each.key for each in find(text, "confluence")] == keys
    assert find(text) == ()


def test_a_written_key_counts_anywhere_beside_a_link_to_its_project() -> None:
    found = find(f"[ACME-1]({JIRA}/browse/ACME-1), ACME-2 and OPS-3")
    assert [(each.key, each.url is None) for each in found] == [("ACME-1", False), ("ACME-2", True)]


def test_references_are_counted_once_and_bounded_in_number_and_time() -> None:
    assert len(find("ACME-1 " * 1000, "jira")) == 1
    assert len(find(" ".join(f"ACME-{n}" for n in range(1, 2000)), "jira")) == MOST
    started = time.process_time()
    for hostile in ("https://a/browse/" * 20_000, "https://" * 50_000 + "/pull/browse/",
                    "https://a/" + "b/" * 100_000 + "merge_requests/", "A-1" * 100_000):  # fmt: skip
        find(hostile + " /merge_requests/ /pages/viewpage.action selectedIssue=", "jira")
    assert time.process_time() - started < 10


def test_a_text_without_any_costs_next_to_nothing() -> None:
    text = "A sentence about pumps and valves, with a [link](https://example.org/a/b). " * 2_000
    started = time.process_time()
    for _ in range(20):
        assert find(text) == ()
    assert time.process_time() - started < 1


# -- kept with documents


def document(url: str, text: str, **more: Any) -> NewDocument:
    return NewDocument(
        url=url, title=url.rpartition("/")[2], text=text, content_hash=content_hash(url, text),
        **more,
    )  # fmt: skip


def issue(key: str, text: str = "") -> NewDocument:
    return document(
        f"{JIRA}/browse/{key}", f"# [{key}] About\n\n{text}", source_type="jira",
        entity_type="issue", metadata={"issue": {"key": key}},
    )  # fmt: skip


def wiki(number: str, title: str, text: str) -> NewDocument:
    page = {"id": number, "space": "TEAM", "title": title}
    return document(
        f"{WIKI}/display/TEAM/{title}", text, source_type="confluence", metadata={"page": page}
    )


def rows(db: Any) -> tuple[int, int]:
    """How many references and names are kept."""

    def count(tx: Any) -> tuple[int, int]:
        tables = ("document_reference", "document_name")
        one, two = (tx.execute(f"select count(*) from {table}")[0][0] for table in tables)
        return one, two

    return db.read_sync(count)  # type: ignore[no-any-return]


def test_references_lead_to_documents_whatever_comes_first_and_back(db: Any) -> None:
    text = f"[plan]({WIKI}/display/TEAM/Plan) [x]({WIKI}/pages/viewpage.action?pageId=9) ACME-2"
    one, plan, two = db.write_sync(
        store.save, [issue("ACME-1", text), wiki("9", "Plan", "Since ACME-1"), issue("ACME-2")]
    )
    seen = db.read_sync(referring.look, one.id)
    assert {(each.kind, each.key): [d.id for d in each.documents] for each in seen.items} == {
        ("issue", "ACME-2"): [two.id], ("page", "9"): [plan.id], ("page", "TEAM/Plan"): [plan.id],
    }  # fmt: skip
    assert [each.id for each in seen.referrers] == [plan.id]
    back = db.read_sync(referring.look, plan.id)
    assert [each.id for each in back.referrers] == [one.id]
    assert not back.more
    assert db.read_sync(referring.look, two.id).items == []


def test_a_link_means_only_the_document_on_its_own_host(db: Any) -> None:
    other = document(
        "https://other.example/browse/ACME-1", "x", metadata={"issue": {"key": "ACME-1"}}
    )
    here, there, page = db.write_sync(
        store.save,
        [issue("ACME-1"), other, document("https://a.example/p", f"[it]({JIRA}/browse/ACME-1)")],
    )
    (found,) = db.read_sync(referring.look, page.id).items
    assert [each.id for each in found.documents] == [here.id]
    assert db.read_sync(referring.look, there.id).referrers == []


def test_referrers_are_found_behind_many_that_mean_another_host(
    db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(referring, "_LOOKED_AT", 3)
    monkeypatch.setattr(referring, "_LOOKS", 4)
    links = [f"[it](https://other.example/browse/ACME-1) {n}" for n in range(7)]
    links.append(f"[it]({JIRA}/browse/ACME-1)")
    here, *_, page = db.write_sync(
        store.save,
        [issue("ACME-1"), *(document(f"https://a.example/{n}", x) for n, x in enumerate(links))],
    )
    found = db.read_sync(referring.look, here.id)
    assert ([each.id for each in found.referrers], found.more) == ([page.id], False)
    monkeypatch.setattr(referring, "_LOOKS", 2)
    found = db.read_sync(referring.look, here.id)
    assert (found.referrers, found.more) == ([], True), "not all were looked at"


def test_references_follow_the_text_and_go_with_the_document(db: Any) -> None:
    (one,) = db.write_sync(store.save, [issue("ACME-1", "ACME-2 ACME-3")])
    assert rows(db) == (2, 1)
    db.write_sync(store.save, [issue("ACME-1", "ACME-3 ACME-4 ACME-5")])
    keys = [each.key for each in db.read_sync(referring.look, one.id).items]
    assert keys == ["ACME-3", "ACME-4", "ACME-5"]
    db.write_sync(store.delete, [one.id])
    assert rows(db) == (0, 0)


def test_a_page_without_references_leaves_no_row(db: Any) -> None:
    db.write_sync(store.save, [document("https://a.example/p", "Text. [link](https://b.example/)")])
    assert rows(db) == (0, 0)
    assert db.write_sync(store.delete_some, Filter()) == 1
