"""Source records: what to collect, how, and with which login; never a secret.

Names are unique and can be written after `source:` in a search. Everything is checked before
anything is written, and every fault is named with its field. `rev` grows with each edit. An id is
never given twice, so documents that outlive their source belong to nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quaero.crawl.payloads import RecordId, Tag
from quaero.crawl.urls import canonical
from quaero.db.contract import ReadTx, Row, Tx
from quaero.documents.model import normal_tag
from quaero.errors import BadInput, BadPayload, BadUrl, Conflict, NotFound
from quaero.forms import SOURCE_NAME, said
from quaero.sources import credentials
from quaero.sources.names import names
from quaero.sources.settings import Kind, Settings, settings_model

_COLUMNS = """
    id, name, kind, base_url, credential, settings, tags, enabled, rev, created_at, updated_at,
    run_id, ended_run_id
"""


class Draft(BaseModel):
    """What a source is to be; `settings` are those of its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str,
        Field(
            pattern=SOURCE_NAME,
            description="A letter, then lower-case letters, digits, - and _, as in `source:name`.",
        ),
    ]
    kind: Kind = "web"
    base_url: Annotated[
        str,
        Field(min_length=1, max_length=4_000, description="An address, or the path of a folder."),
    ]
    credential: RecordId | None = None
    settings: dict[str, Any] = {}
    tags: Annotated[list[Tag], Field(max_length=100)] = []
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """A source as it is kept; times are wall times in microseconds.

    `run_id` is the job of its newest run, `ended_run_id` that of the run before.
    """

    id: int
    name: str
    kind: Kind
    base_url: str
    credential: int | None
    settings: Settings
    tags: tuple[str, ...]
    enabled: bool
    rev: int
    created_at: int
    updated_at: int
    run_id: int | None
    ended_run_id: int | None

    @property
    def draft(self) -> dict[str, Any]:
        """What may be edited of it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "base_url": self.base_url,
            "credential": self.credential,
            "settings": self.settings.model_dump(),
            "tags": list(self.tags),
            "enabled": self.enabled,
        }


# -- checking


def checked(given: Mapping[str, Any]) -> tuple[Draft, Settings]:
    """What was given as a draft with its settings. Raises `BadPayload` naming every fault."""
    faults: list[dict[str, str]] = []
    draft = _read(Draft, given, "", faults)
    kind = given.get("kind", "web")
    settings = None
    if kind in ("web", "jira", "confluence", "folder"):
        settings = _read(settings_model(kind), given.get("settings", {}), "/settings", faults)
        base = given.get("base_url")
        if isinstance(base, str) and base:
            try:
                base_url = _base_url(kind, base)
            except BadInput as error:
                faults.append({"pointer": "/base_url", "detail": str(error)})
        if kind == "folder" and given.get("credential") is not None:
            faults.append({"pointer": "/credential", "detail": "a folder takes no login"})
    if faults or draft is None or settings is None:
        text = "; ".join(f"{each['pointer'].strip('/')}: {each['detail']}" for each in faults)
        raise BadPayload(f"the source cannot be kept: {text}", faults)
    tags = list(dict.fromkeys(filter(None, map(normal_tag, draft.tags))))
    return draft.model_copy(update={"base_url": base_url, "tags": tags}), settings


def _read(model: Any, given: Any, where: str, faults: list[dict[str, str]]) -> Any:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            words = [str(part).replace("~", "~0").replace("/", "~1") for part in each["loc"]]
            faults.append({"pointer": "/".join([where, *words]), "detail": said(each)})
        return None


def _base_url(kind: Kind, text: str) -> str:
    """The address in canonical form, or the path without detours."""
    if kind != "folder":
        return canonical(text)
    if not text.startswith("/") or "\0" in text or not text.isprintable():
        raise BadUrl(f"{text!r} is not the absolute path of a folder, such as /home/me/notes")
    return os.path.normpath(text)


# -- reading


def get(tx: ReadTx, source_id: int) -> Source:
    """One source. Raises `NotFound`."""
    rows = tx.execute(f"select {_COLUMNS} from source where id = $1", (source_id,))
    if not rows:
        raise NotFound(f"there is no source {source_id}")
    return _source(rows[0])


def find(tx: ReadTx, word: str) -> Source:
    """The source with this name, or this number. Raises `NotFound` naming those there are."""
    rows = tx.execute(f"select {_COLUMNS} from source where name = $1", (word.lower(),))
    if not rows and word.isdecimal() and len(word) < 19:
        rows = tx.execute(f"select {_COLUMNS} from source where id = $1", (int(word),))
    if not rows:
        known = ", ".join(sorted(names(tx))[:20]) or "none yet"
        raise NotFound(f"there is no source {word!r}; there are: {known}")
    return _source(rows[0])


def listing(tx: ReadTx, after: int = 0, limit: int = 50) -> list[Source]:
    """Sources in order of id, from the one after `after` on."""
    rows = tx.execute(
        f"select {_COLUMNS} from source where id > $1 order by id limit $2", (after, limit)
    )
    return [_source(row) for row in rows]


def _source(row: Row) -> Source:
    id_, name, kind, base_url, credential, settings, tags, enabled, *rest = row
    made = settings_model(kind).model_validate_json(settings)
    words = tuple(msgspec.json.decode(tags))
    return Source(id_, name, kind, base_url, credential, made, words, bool(enabled), *rest)


# -- writing


def create(tx: Tx, given: Mapping[str, Any]) -> int:
    """Keep a new source; returns its id. Raises `BadPayload`, or `Conflict` for a taken name."""
    draft, settings = checked(given)
    _refuse_taken(tx, draft.name, 0)
    _refuse_unknown(tx, draft.credential)
    (id_,) = tx.ids("source", 1)
    tx.execute(
        """
        insert into source(id, name, kind, base_url, credential, settings, tags, enabled,
                           created_at, updated_at)
        values($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        """,
        (id_, *_values(draft, settings), tx.now),
    )
    return id_


def update(tx: Tx, source_id: int, changes: Mapping[str, Any]) -> None:
    """Change a source by a merge patch (RFC 7396): null gives back the default.

    A run that is under way keeps the settings it began with. Raises `NotFound`, `BadPayload`, or
    `Conflict` for a taken name or another kind.
    """
    old = get(tx, source_id)
    given = merged(old.draft, changes)
    draft, settings = checked(given)
    if draft.kind != old.kind:
        raise Conflict(f"source {old.name} is of kind {old.kind} for good; make another source")
    _refuse_taken(tx, draft.name, source_id)
    if draft.credential != old.credential:
        _refuse_unknown(tx, draft.credential)
    tx.execute(
        """
        update source set name = $2, kind = $3, base_url = $4, credential = $5, settings = $6,
               tags = $7, enabled = $8, updated_at = $9, rev = rev + 1 where id = $1
        """,
        (source_id, *_values(draft, settings), tx.now),
    )


def merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a merge patch (RFC 7396, section 2)."""
    found = dict(target)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, Mapping):
            before = found.get(name)
            found[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            found[name] = value
    return found


def _values(draft: Draft, settings: Settings) -> Row:
    return (
        draft.name, draft.kind, draft.base_url, draft.credential, settings.model_dump_json(),
        _json(draft.tags), int(draft.enabled),
    )  # fmt: skip


def _refuse_taken(tx: ReadTx, name: str, own: int) -> None:
    rows = tx.execute("select id from source where name = $1 and id <> $2", (name, own))
    if rows:
        raise Conflict(f"source {rows[0][0]} is named {name!r} already; choose another name")


def _refuse_unknown(tx: ReadTx, credential: int | None) -> None:
    if credential is None:
        return
    try:
        credentials.get(tx, credential)
    except NotFound as error:
        fault = {"pointer": "/credential", "detail": str(error)}
        raise BadPayload(f"the source cannot be kept: {error}", [fault]) from error


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
