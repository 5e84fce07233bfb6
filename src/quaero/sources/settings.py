"""What a source's owner may say of how it is collected: the settings of each kind.

Those of sites are the settings of a crawl with the same names, ranges and meanings; `seeds` are
addresses to begin at besides the base URL. A folder has its own, since robots or delays mean
nothing there. Each kind refuses what has no effect on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from quaero.crawl.payloads import Pattern, Seed
from quaero.crawl.scope import ScopeName
from quaero.sources.folder_walk import PathRules

Kind = Literal["web", "jira", "confluence", "folder"]
KINDS: tuple[Kind, ...] = ("web", "jira", "confluence", "folder")
MOST_FILES = 100_000
MOST_PATTERNS = 1_000


def _usable(pattern: str) -> str:
    PathRules((pattern,))
    return pattern


PathPattern = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_usable)]
PathPatterns = Annotated[list[PathPattern], Field(max_length=MOST_PATTERNS)]
Patterns = Annotated[list[Pattern], Field(max_length=MOST_PATTERNS)]


class SiteSettings(BaseModel):
    """How a site is crawled; a limit of 0 pages is none, `delay` is in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Annotated[list[Seed], Field(max_length=999)] = []
    include: Patterns = []
    exclude: Patterns = []
    max_pages: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1_000
    max_depth: Annotated[int, Field(ge=0, le=1_000)] = 3
    scope: ScopeName = "host"
    follow_links: bool = True
    sitemap: bool = False
    concurrency: Annotated[int, Field(ge=1, le=100)] = 4
    delay: Annotated[float, Field(ge=0, le=3_600)] = 0.0
    respect_robots: bool = True
    detail_level: Literal["metadata", "full"] = "full"
    refresh: Literal["changed", "always", "missing"] = "changed"


class FolderSettings(BaseModel):
    """Which files of a folder are read; patterns are compared with the path below it, `/a/b.md`.

    `max_depth` counts folders below the base; a limit of 0 files is none. With `always` files are
    read although neither time nor size has changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: PathPatterns = []
    exclude: PathPatterns = []
    max_depth: Annotated[int, Field(ge=0, le=200)] = 100
    max_files: Annotated[int, Field(ge=0, le=1_000_000_000)] = MOST_FILES
    refresh: Literal["changed", "always"] = "changed"


Settings = SiteSettings | FolderSettings


def settings_model(kind: Kind) -> type[SiteSettings | FolderSettings]:
    """The model of a kind's settings."""
    return FolderSettings if kind == "folder" else SiteSettings
