"""Runs of a source: a snapshot of its settings as a job, never more than one at a time.

What a run is told is the source's settings as they are at that moment, with the source's and the
credential's id. What is asked for one run only is combined with them openly: patterns narrow, so
an address must fit the source's `include` and the run's, and neither `exclude`; limits and the
like are those of the run where it names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from quaero.crawl import frontier
from quaero.crawl.frontier import Politeness
from quaero.crawl.kinds import CRAWLER
from quaero.crawl.payloads import Crawl
from quaero.db.contract import ReadTx, Tx
from quaero.errors import BadPayload, Conflict
from quaero.forms import said
from quaero.jobs import steer
from quaero.jobs.create import create
from quaero.jobs.model import JobSpec, Phase
from quaero.jobs.read import get, summaries
from quaero.sources import records
from quaero.sources.payloads import FOLDER, VALIDATION, Folder, Validation
from quaero.sources.records import Source
from quaero.sources.settings import FolderSettings

M = TypeVar("M", bound=BaseModel)
RULE = (
    "An address must fit one of the source's include patterns and one of the run's, where there "
    "are any, and none of the exclude patterns of either."
)
_OF_SITES = frozenset({"include", "exclude", "max_depth", "max_pages", "refresh"})
_OF_FOLDERS = frozenset({"include", "exclude", "max_depth", "max_files", "refresh"})
_NOT_CHECKED = {"source", "credential", "tags", "source_type", "entity_type", "private"}


@dataclass(frozen=True, slots=True)
class Collected:
    """The job of a run, and whether it was begun just now or was under way already."""

    job_id: int
    started: bool


def payload_of(source: Source, wish: Mapping[str, Any]) -> Crawl | Folder:
    """What a run is told: the source's settings, narrowed by what is asked for this run.

    Raises `BadPayload` naming each field of `wish` that cannot be used.
    """
    folder = isinstance(source.settings, FolderSettings)
    _refuse_others(wish, _OF_FOLDERS if folder else _OF_SITES, source.kind)
    told = source.settings.model_dump() | {
        name: value for name, value in wish.items() if name not in ("include", "exclude")
    }
    told["within"] = source.settings.include
    told["include"] = wish.get("include", [])
    told["source"], told["tags"] = source.id, list(source.tags)
    if isinstance(given := wish.get("exclude", []), list):
        told["exclude"] = [*source.settings.exclude, *given]
    else:
        told["exclude"] = given
    if folder:
        return _made(Folder, told | {"base": source.base_url})
    told["seeds"] = list(dict.fromkeys([source.base_url, *told["seeds"]]))
    told |= {"source_type": source.kind, "credential": source.credential}
    return _made(Crawl, told)


def draft_payload(given: Mapping[str, Any]) -> Crawl | Folder:
    """What a run of a source would be told that is not kept yet. Raises `BadPayload`."""
    draft, settings = records.checked(given)
    words = tuple(draft.tags)
    made = Source(
        id=1, name=draft.name, kind=draft.kind, base_url=draft.base_url, settings=settings,
        credential=draft.credential, tags=words, enabled=True, rev=1, created_at=0, updated_at=0,
        run_id=None, ended_run_id=None,
    )  # fmt: skip
    return payload_of(made, {})


def patterns(payload: Crawl | Folder) -> dict[str, Any]:
    """The effective patterns of a run, by whose they are, with the rule."""
    return {
        "source_include": payload.within,
        "run_include": payload.include,
        "exclude": payload.exclude,
        "rule": RULE,
    }


def patterns_of(tx: ReadTx, job_id: int) -> dict[str, Any]:
    """The effective patterns of a run that was begun. Raises `NotFound`."""
    told = get(tx, job_id).payload
    return {
        "source_include": told["within"],
        "run_include": told["include"],
        "exclude": told["exclude"],
        "rule": RULE,
    }


def _refuse_others(wish: Mapping[str, Any], known: frozenset[str], kind: str) -> None:
    faults = [
        {
            "pointer": f"/{name}",
            "detail": f"a run of a {kind} source takes {', '.join(sorted(known))}",
        }
        for name in sorted(wish.keys() - known)
    ]
    if faults:
        text = ", ".join(each["pointer"].strip("/") for each in faults)
        raise BadPayload(f"{text}: {faults[0]['detail']}", faults)


def _made(model: type[M], told: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(told)
    except ValidationError as error:
        faults = [
            {
                "pointer": "/" + "/".join(map(str, each["loc"])),
                "detail": said(each),
            }
            for each in error.errors(include_url=False)
        ]
        text = "; ".join(f"{each['pointer'].strip('/')}: {each['detail']}" for each in faults)
        raise BadPayload(f"the run cannot be begun: {text}", faults) from error


# -- beginning


def collect(tx: Tx, queue_id: int, source_id: int, wish: Mapping[str, Any]) -> Collected:
    """Begin a run of a source, or answer with the one that is under way.

    Raises `NotFound`, `BadPayload`, `DiskFull`, and `Conflict` where the source is disabled, or
    where a run is under way and this one was to be another.
    """
    source = records.get(tx, source_id)
    payload = payload_of(source, wish)
    active = active_run(tx, source)
    if active is not None:
        if wish:
            raise Conflict(
                f"source {source.name} is being collected by job {active}; wait for its end or "
                "cancel it, then begin with other settings"
            )
        return Collected(active, started=False)
    if not source.enabled:
        raise Conflict(f"source {source.name} is disabled; enable it, then collect")
    (job_id,) = create(tx, queue_id, [_spec(source, payload)])
    if isinstance(payload, Crawl):
        identity = frontier.identity_of(payload.to_scope().seeds, source.id)
        frontier.begin(tx, job_id, identity, payload.max_pages)
    _note_run(tx, source, job_id)
    return Collected(job_id, started=True)


def _spec(source: Source, payload: Crawl | Folder) -> JobSpec:
    job_type = CRAWLER if isinstance(payload, Crawl) else FOLDER
    return JobSpec(job_type.name, payload.model_dump_json(), name=f"collect {source.name}")


def active_run(tx: ReadTx, source: Source) -> int | None:
    """The job that collects a source at the moment."""
    found = summaries(tx, [source.run_id]) if source.run_id is not None else []
    return found[0].id if found and found[0].status.open else None


def take_turn(tx: Tx, source_id: int, job_id: int) -> None:
    """Make a job the source's run, whoever created it.

    Raises `NotFound`, or `Conflict` where another one is under way.
    """
    source = records.get(tx, source_id)
    active = active_run(tx, source)
    if active not in (None, job_id):
        raise Conflict(f"source {source.name} is being collected by job {active} already")
    if source.run_id != job_id:
        _note_run(tx, source, job_id)


def _note_run(tx: Tx, source: Source, job_id: int) -> None:
    tx.execute(
        """
        update source set ended_run_id = coalesce(run_id, ended_run_id), run_id = $2 where id = $1
        """,
        (source.id, job_id),
    )


def remove(tx: Tx, source_id: int, *, cancel: bool) -> Source:
    """Remove a source's record; its documents stay. Returns what it was.

    Raises `NotFound`, or `Conflict` while it is being collected, unless that is to be cancelled.
    """
    source = make_idle(tx, source_id, cancel=cancel)
    tx.execute("delete from source where id = $1", (source_id,))
    return source


def make_idle(tx: Tx, source_id: int, *, cancel: bool) -> Source:
    """Cancel the run that is under way; raises `Conflict` where there is one and that is not asked.

    Raises `NotFound` as well.
    """
    source = records.get(tx, source_id)
    active = active_run(tx, source)
    if active is not None and not cancel:
        raise Conflict(
            f"source {source.name} is being collected by job {active}; cancel that job first, or "
            "ask for it to be cancelled (`--cancel`, or `cancel=true` over HTTP)"
        )
    if active is not None:
        steer.cancel(tx, active)
    return source


# -- checking first


def crawl_validation(crawl: Crawl) -> JobSpec:
    """The job that is to end well before a crawl of a source fetches."""
    wanted = Validation(
        source=crawl.source,
        kind=crawl.source_type,
        base_url=crawl.seeds[0],
        credential=crawl.credential,
        settings=crawl.model_dump(mode="json", exclude=_NOT_CHECKED),
    )
    lane = Politeness.of(crawl).lane(crawl.to_scope().seeds[0])
    return JobSpec(
        VALIDATION.name, wanted.model_dump_json(), Phase.PRE, f"check {crawl.seeds[0]}", lane=lane
    )


def folder_validation(folder: Folder) -> JobSpec:
    """The job that is to end well before a folder is read."""
    settings = folder.model_dump(mode="json", exclude={"source", "base", "tags"})
    wanted = Validation(
        source=folder.source, kind="folder", base_url=folder.base, settings=settings
    )
    return JobSpec(VALIDATION.name, wanted.model_dump_json(), Phase.PRE, f"check {folder.base}")


def validation_of(source: Source) -> JobSpec:
    """The same checks for a source that is not to be collected now."""
    made: BaseModel = payload_of(source, {})
    spec = crawl_validation(made) if isinstance(made, Crawl) else folder_validation(made)  # type: ignore[arg-type]
    return JobSpec(spec.type, spec.payload, name=spec.name, lane=spec.lane)
