"""Sources as the interface takes and gives them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from quaero.api import examples
from quaero.api.fields import Count, CursorText, Flag, Id, Limit, Payload, Time
from quaero.api.models import Answer, Body, Job, JobItem, JsonSchema, Words
from quaero.forms import FILLED, SOURCE_NAME
from quaero.sources.health import Health
from quaero.sources.settings import Kind

Text = Annotated[str, Field(min_length=1, max_length=8_000)]
Texts = Annotated[list[Text], Field(max_length=1_000)]
Address = Annotated[
    str,
    Field(min_length=1, max_length=4_000, description="An address, or the path of a folder."),
]
Name = Annotated[str, Field(pattern=SOURCE_NAME, description="As in `source:name`.")]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100, pattern=FILLED)]], Field(max_length=100)
]
Settings = Annotated[Payload, Field(description="Those of its kind: see `GET /api/sources/kinds`.")]


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [value]})


class SourceModel(Answer):
    """A source: its settings and how it is.

    `health` and `detail` tell of the last run that has ended, `run` is the newest. `documents`
    does not count the `gone` ones.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SOURCE]})

    id: int
    name: str
    kind: Kind
    base_url: str
    credential: int | None
    settings: JsonSchema
    tags: list[str]
    enabled: bool
    health: Health
    detail: str | None
    documents: int
    gone: int
    active: bool
    run: JobItem | None
    created_at: Time
    updated_at: Time


class SourceList(Answer):
    """A page of sources."""

    items: list[SourceModel]
    next_cursor: str | None


class SourceWords(Words):
    """Which sources to list."""

    limit: Limit = 50
    cursor: CursorText = None


class RemovalWords(Words):
    """How to delete a source."""

    documents: Annotated[
        Literal["keep", "delete"], Field(description="What becomes of its documents.")
    ]
    cancel: Annotated[Flag, Field(description="Cancel the run that is under way.")] = False


class KindModel(Answer):
    """A kind of source; `schema` describes its settings."""

    kind: Kind
    schema_: Annotated[JsonSchema, Field(alias="schema")]


class KindList(Answer):
    """All kinds of sources."""

    items: list[KindModel]


class NewSource(Body):
    """A source to keep."""

    model_config = _example(examples.NEW_SOURCE)

    name: Name
    kind: Kind = "web"
    base_url: Address
    credential: Id | None = None
    settings: Settings = Field(default={})
    tags: Tags = Field(default=[])
    enabled: bool = True


class SourcePatch(Body):
    """What to change of a source (RFC 7396); null gives back the default, also in `settings`."""

    model_config = _example({"settings": {"max_pages": 500}, "tags": ["handbook"]})

    name: Name = ""
    kind: Kind = "web"
    base_url: Address = ""
    credential: Id | None = None
    settings: Settings | None = None
    tags: Tags | None = None
    enabled: bool | None = None


class Wish(Body):
    """What is asked for one run only; patterns narrow those of the source."""

    model_config = _example({"include": ["/guide/*"], "max_pages": 50})

    include: Texts = Field(default=[])
    exclude: Texts = Field(default=[])
    max_pages: Count = 0
    max_files: Count = 0
    max_depth: Count = 0
    refresh: Literal["changed", "always", "missing"] = "changed"


class PatternsModel(Answer):
    """The patterns of a run, by whose they are, and the rule by which they combine."""

    source_include: list[str]
    run_include: list[str]
    exclude: list[str]
    rule: str


class CollectedModel(Answer):
    """The job of a run; not `started` where it was under way already."""

    started: bool
    job: Job
    patterns: PatternsModel


class Sample(Body):
    """Addresses to try, with the patterns of a run if it has any."""

    model_config = _example({"urls": ["https://docs.example.org/guide/", "/login"]})

    urls: Annotated[list[Text], Field(min_length=1, max_length=100)]
    include: Texts = Field(default=[])
    exclude: Texts = Field(default=[])


class DraftSample(Body):
    """Addresses to try on settings that are not kept yet."""

    model_config = _example(
        {
            "base_url": "https://docs.example.org/",
            "settings": {"exclude": ["/drafts/*"]},
            "urls": ["https://docs.example.org/drafts/x"],
        }
    )

    kind: Kind = "web"
    base_url: Address
    settings: Settings = Field(default={})
    urls: Annotated[list[Text], Field(min_length=1, max_length=100)]


class DecisionModel(Answer):
    """Whether an address is let in; `rule` says in words what decided, `pattern` which did."""

    address: str
    admitted: bool
    reason: str
    rule: str
    pattern: str | None


class Trial(Answer):
    """What becomes of each address."""

    items: list[DecisionModel]
    patterns: PatternsModel
