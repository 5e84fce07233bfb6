"""What a source's owner may say of how it is collected: the settings of each kind.

Those of sites are the settings of a crawl with the same names, ranges and meanings; `seeds` are
addresses to begin at besides the base URL. A folder has its own, since robots or delays mean
nothing there. Each kind refuses what has no effect on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from quaero.crawl.payloads import PRODUCT_DEPTH, PRODUCT_VARIANTS, Pattern, Seed
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

    seeds: Annotated[list[Seed], Field(max_length=999)] = Field(
        [], description="Addresses to begin at, besides the base URL."
    )
    include: Patterns = Field(
        [], description="Only addresses that fit one of these, such as /guide/*."
    )
    exclude: Patterns = Field([], description="No address that fits one of these.")
    max_pages: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        1_000, description="0 is no limit."
    )
    max_depth: Annotated[int, Field(ge=0, le=1_000)] = Field(
        3, description="Links from an address to begin at."
    )
    max_variants: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        100,
        description="Pages whose addresses differ in the query only, besides what a sitemap names; "
        "0 is no limit.",
    )
    max_host_pages: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        0, description="Pages of one host; 0 is no limit."
    )
    scope: ScopeName = Field(
        "host",
        description="What belongs to the source: the host, its domain, the path, or any address.",
    )
    follow_links: bool = Field(True, description="Whether links of pages are followed.")
    sitemap: bool = Field(False, description="Whether sitemaps are read.")
    concurrency: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="Requests to a host at a time."
    )
    delay: Annotated[float, Field(ge=0, le=3_600)] = Field(
        0.0, description="Seconds between two requests to a host."
    )
    respect_robots: bool = Field(True, description="Whether robots.txt is obeyed.")
    detail_level: Literal["metadata", "full"] = Field(
        "full", description="Whether the text is kept, or what is said of it only."
    )
    refresh: Literal["changed", "always", "missing"] = Field(
        "changed",
        description="What a later run fetches: what changed, everything, or what is missing.",
    )


class ProductSettings(SiteSettings):
    """How a Jira or Confluence is crawled: its link rules bound it, and lists lead on page by page.

    So it is not the depth that ends a crawl.
    """

    max_depth: Annotated[int, Field(ge=0, le=1_000)] = Field(
        PRODUCT_DEPTH, description="Links from an address to begin at; lists go on page by page."
    )
    max_variants: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        PRODUCT_VARIANTS,
        description="Pages whose addresses differ in the query only; 0 is no limit.",
    )


class FolderSettings(BaseModel):
    """Which files of a folder are read; patterns are compared with the path below it, `/a/b.md`.

    `max_depth` counts folders below the base; a limit of 0 files is none. With `always` files are
    read although neither time nor size has changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: PathPatterns = Field(
        [], description="Only files whose path fits one of these, such as /guide/*."
    )
    exclude: PathPatterns = Field([], description="No file whose path fits one of these.")
    max_depth: Annotated[int, Field(ge=0, le=200)] = Field(
        100, description="Folders below the base."
    )
    max_files: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        MOST_FILES, description="0 is no limit."
    )
    refresh: Literal["changed", "always"] = Field(
        "changed", description="Whether files are read again that have not changed."
    )


Settings = SiteSettings | FolderSettings


def settings_model(kind: Kind) -> type[SiteSettings | FolderSettings]:
    """The model of a kind's settings."""
    if kind == "folder":
        return FolderSettings
    return SiteSettings if kind == "web" else ProductSettings
