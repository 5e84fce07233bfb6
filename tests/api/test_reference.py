"""The reference of errors and of the socket's messages is whole and true."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from fastapi import FastAPI

from quaero.api import reference
from quaero.api.live import messages

SOURCE = Path(messages.__file__).parents[1]
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def test_every_message_of_the_socket_has_an_example() -> None:
    code = "".join(each.read_text() for each in (SOURCE / "live").glob("*.py"))
    told = set(re.findall(r"message\(\s*\"(\w+)\"", code)) | {"job", "feed"}
    told |= set(re.findall(r'^    "(\w+)": \(\(', code, re.MULTILINE))  # the statistics
    shown = {each["name"] for each in reference.SOCKET_MESSAGES if each.get("from") != "client"}
    assert shown == told
    for each in reference.SOCKET_MESSAGES:
        if each.get("from") != "client":
            assert each["example"]["type"] == each["name"]


def test_the_examples_of_what_clients_say_are_understood() -> None:
    said = [each["example"] for each in reference.SOCKET_MESSAGES if each.get("from") == "client"]
    assert len(said) == 3
    for each in said:
        assert messages.request(msgspec.json.encode(each))


def test_every_problem_is_described_once(app: FastAPI) -> None:
    described = app.openapi()["x-errors"]
    slugs = [each["slug"] for each in described]
    assert len(slugs) == len(set(slugs))
    code = "".join(each.read_text() for each in SOURCE.rglob("*.py"))
    used = set(re.findall(r"problem\(\s*\d{3}, \"([a-z-]+)\"", code))
    assert used
    assert used <= set(slugs)
    assert all(each["meaning"] and each["title"] for each in described)


def test_the_document_of_errors_is_true() -> None:
    rows = [
        f"| `{each['slug']}` | {each['status']} | {each.get('exit_code', '')} | "
        f"{' '.join(each['meaning'].split())} |"
        for each in sorted(reference.errors(), key=lambda each: str(each["slug"]))
    ]
    found = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert found == rows
