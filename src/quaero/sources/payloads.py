"""What the jobs of sources are told, and the job types as processes know them that run none."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quaero.crawl.payloads import Tag
from quaero.forms import ABSOLUTE
from quaero.queue.message import UPKEEP
from quaero.sources.settings import FolderSettings, Kind, PathPatterns
from quaero.work.registry import JobType

SourceId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Validation(BaseModel):
    """What is to be checked before a run: a source's kind, address and settings.

    `settings` are not checked here: what is wrong with them is what the job is to tell. `login`
    is the id of a credential.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    kind: Kind
    base_url: Annotated[str, Field(min_length=1, max_length=8_000)]
    credential: SourceId | None = None
    settings: dict[str, Any] = {}


class Folder(FolderSettings):
    """A run over a folder: its absolute path, and which of its files are read.

    `within` are the patterns to which the source is bound: a file must fit one of them as well as
    one of `include`, where there are any.
    """

    source: SourceId
    base: Annotated[str, Field(min_length=1, max_length=4_000, pattern=ABSOLUTE)]
    within: PathPatterns = Field(default_factory=list)
    tags: Annotated[list[Tag], Field(default_factory=list, max_length=100)]


class Removal(BaseModel):
    """What a source left that was deleted: the links of its pages, and its documents if named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: SourceId
    documents: bool = True


VALIDATION = JobType("source_validation", Validation, timeout=300.0)
FOLDER = JobType("folder", Folder, timeout=3_600.0)
REMOVAL = JobType("source_removal", Removal, timeout=6 * 3_600.0, lane=UPKEEP)
