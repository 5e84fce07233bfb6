"""What is checked before a source is collected, and in which words it is told.

Each check is looked at whatever the others say, so all problems are told at once. One that could
not be looked at because of another has `ok` None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from quaero.crawl.patterns import Patterns
from quaero.crawl.payloads import Crawl
from quaero.errors import BadInput, Permanent
from quaero.forms import said
from quaero.sources.folder_walk import File, PathRules, Walk
from quaero.sources.payloads import Folder, Validation

MOST_LOOKED_AT = 10_000
_PATTERNS = ("include", "exclude", "within")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, and what to do where it is not well.

    What is `passing` may be well in a moment, without anybody's doing.
    """

    name: str
    ok: bool | None
    detail: str
    todo: str | None = None
    passing: bool = False


def problems(checks: Iterable[Check]) -> list[Check]:
    """Those that are not well."""
    return [each for each in checks if each.ok is False]


def as_json(check: Check) -> dict[str, Any]:
    """A check as a result holds it."""
    return {"name": check.name, "ok": check.ok, "detail": check.detail, "todo": check.todo}


def told(checks: Sequence[Check]) -> str:
    """All problems as one text."""
    found = [f"{each.detail}; {each.todo}" if each.todo else each.detail for each in checks]
    return found[0] if len(found) == 1 else f"{len(found)} problems: " + " | ".join(found)


# -- settings


def check_patterns(wanted: Validation) -> Check:
    """Whether all patterns compile."""
    faults, number = [], 0
    for name in _PATTERNS:
        for text in _texts(wanted.settings.get(name)):
            number += 1
            try:
                PathRules((text,)) if wanted.kind == "folder" else Patterns((text,))
            except BadInput as error:
                faults.append(f"{'include' if name == 'within' else name}: {error}")
    if faults:
        return Check("patterns", False, " ".join(faults), "correct the patterns of the source")
    return Check("patterns", True, f"{number} patterns can be used" if number else "none are set")


def check_settings(wanted: Validation) -> tuple[Check, Crawl | None]:
    """Whether the other settings can be used, and the crawl that they make, without patterns."""
    rest = {name: value for name, value in wanted.settings.items() if name not in _PATTERNS}
    told_of = {"seeds": [wanted.base_url]} | rest | {"source_type": wanted.kind}
    told_of |= {"credential": wanted.credential}
    try:
        crawl = Crawl.model_validate(told_of)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, each['loc']))}: {said(each)}"
            for each in error.errors(include_url=False)
        ]
        text = "; ".join(faults)
        return Check("settings", False, text, "correct the settings of the source"), None
    return Check("settings", True, "the settings can be used"), crawl


def check_seeds(wanted: Validation, patterns: Check, bare: Crawl | None) -> tuple[Check, list[str]]:
    """Whether an address to begin at is let in, and which are."""
    if bare is None or not patterns.ok:
        return Check("seeds", None, "not looked at: the settings cannot be used"), []
    update: dict[str, Any] = {name: _texts(wanted.settings.get(name)) for name in _PATTERNS}
    scope = bare.model_copy(update=update).to_scope()
    good = [seed for seed in scope.seeds if scope.refusal(seed, 0) is None]
    if good:
        return Check("seeds", True, f"{len(good)} of {len(scope.seeds)} addresses are let in"), good
    if scope.refusal(scope.seeds[0], 0) == "action":
        text = f"nothing is let in: {scope.seeds[0]} is an address that changes something"
        return Check("seeds", False, text, "begin at a page"), []
    by = next(each for each in update["exclude"] if Patterns((each,)).match(scope.seeds[0]))
    return Check(
        "seeds", False,
        f"nothing is let in: {scope.seeds[0]} is excluded by the pattern {by!r}",
        "change the exclude patterns or the address to begin at",
    ), []  # fmt: skip


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


# -- folders


def check_folder(wanted: Validation) -> list[Check]:
    """Whether the folder can be read and has a file to read; to be called on a thread."""
    patterns = check_patterns(wanted)
    settings, folder = _folder(wanted, patterns)
    rules = PathRules() if folder is None else PathRules(
        folder.include, folder.exclude, folder.within, folder.max_depth
    )  # fmt: skip
    try:
        walk = Walk(wanted.base_url, rules)
    except Permanent as error:
        missing = Check("folder", False, str(error), "name a folder that this user may read")
        return [missing, patterns, settings, Check("files", None, "not looked at")]
    try:
        files = (
            _look_for_a_file(walk) if folder is not None else Check("files", None, "not looked at")
        )
    finally:
        walk.close()
    return [Check("folder", True, f"{wanted.base_url} can be read"), patterns, settings, files]


def _folder(wanted: Validation, patterns: Check) -> tuple[Check, Folder | None]:
    told_of = {**wanted.settings, "source": wanted.source or 1, "base": wanted.base_url}
    if not patterns.ok:
        told_of = {name: value for name, value in told_of.items() if name not in _PATTERNS}
    try:
        folder = Folder.model_validate(told_of)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {said(e)}" for e in error.errors()]
        text = "; ".join(faults)
        return Check("settings", False, text, "correct the settings of the source"), None
    return Check("settings", True, "the settings can be used"), folder if patterns.ok else None


def _look_for_a_file(walk: Walk) -> Check:
    refused = 0
    while met := walk.take(200):
        files = [each for each in met if isinstance(each, File)]
        if any(each.refusal is None for each in files):
            return Check("files", True, "there are files to read")
        refused += len(files)
        if refused > MOST_LOOKED_AT:
            return Check("files", True, f"none of the first {refused} files is let in")
    what = f"none of the {refused} Markdown, text and HTML files is let in by the patterns"
    return Check(
        "files", False,
        what if refused else "there is no Markdown, text or HTML file",
        "change the patterns" if refused else "name another folder; nothing is marked as gone",
    )  # fmt: skip
