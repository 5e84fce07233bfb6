"""What the jobs of a crawl are told."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from quaero.crawl.patterns import Patterns
from quaero.crawl.scope import CrawlScope, ScopeName
from quaero.crawl.urls import canonical
from quaero.forms import ENTITY_TYPE, FILLED


def _fetchable(url: str) -> str:
    canonical(url)
    return url


def _usable(pattern: str) -> str:
    Patterns((pattern,))
    return pattern


Seed = Annotated[str, AfterValidator(_fetchable)]
Pattern = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_usable)]
Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=FILLED)]
RecordId = Annotated[int, Field(ge=1, le=2**63 - 1)]


PRODUCT_DEPTH = 1_000
PRODUCT_VARIANTS = 100_000


class Crawl(BaseModel):
    """A crawl: where it starts, how far it goes, and how it treats the sites.

    `max_pages` counts pages admitted over the whole tree, failed ones included; 0 is no limit.
    `delay` is in seconds, between two requests to one host. With `sitemap` what the sitemaps of
    the seeds' hosts name is found too, as if the seeds linked to it. With the `source_type` of a
    product only its own pages are followed, each under one address, and `max_depth` is 1,000 and
    `max_variants` 100,000 unless given. `private` names the login session that pages need; only a
    process that holds that session fetches them. `credential` is the id of the stored login that
    they need.

    Of the links that differ in their query only `max_variants` are followed, besides what sitemaps
    name, and of those to one host `max_host_pages`; 0 is no limit. What is beyond is a trap.

    A crawl of a `source` puts its `tags` on every document. `within` are the patterns to which the
    source is bound: an address must fit one of them as well as one of `include`, where there are
    any, and none of `exclude`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Annotated[list[Seed], Field(min_length=1, max_length=1_000)]
    source_type: Literal["web", "jira", "confluence"] = "web"
    entity_type: Annotated[str, Field(pattern=ENTITY_TYPE)] = "page"
    max_depth: Annotated[int, Field(ge=0, le=1_000)] = 3
    max_pages: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100
    max_variants: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100
    max_host_pages: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    include: list[Pattern] = []
    exclude: list[Pattern] = []
    within: list[Pattern] = []
    scope: ScopeName = "host"
    follow_links: bool = True
    sitemap: bool = False
    concurrency: Annotated[int, Field(ge=1, le=100)] = 4
    delay: Annotated[float, Field(ge=0, le=3_600)] = 0.0
    respect_robots: bool = True
    detail_level: Literal["metadata", "full"] = "full"
    refresh: Literal["changed", "always", "missing"] = "changed"
    private: str | None = None
    source: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    credential: RecordId | None = None
    tags: Annotated[list[Tag], Field(max_length=100)] = []

    @model_validator(mode="before")
    @classmethod
    def _go_deep_in_products(cls, given: Any) -> Any:
        """A product's link rules bound a crawl, and its lists lead on page by page."""
        if not isinstance(given, dict) or given.get("source_type", "web") == "web":
            return given
        return {"max_depth": PRODUCT_DEPTH, "max_variants": PRODUCT_VARIANTS, **given}

    @model_validator(mode="after")
    def _check_scope(self) -> Self:
        self.to_scope()
        if self.private is not None and self.credential is not None:
            raise ValueError("private and credential are two logins; give only one")
        return self

    def to_scope(self) -> CrawlScope:
        """The rules for addresses. Raises `BadInput` for seeds or patterns that cannot be used."""
        return CrawlScope(
            tuple(self.seeds), self.scope, tuple(self.include), tuple(self.exclude), self.max_depth,
            self.source_type, tuple(self.within),
        )  # fmt: skip


class CrawlPage(BaseModel):
    """One page of a crawl, in canonical form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    depth: Annotated[int, Field(ge=0)] = 0
    found_on: str | None = None

    @field_validator("url")
    @classmethod
    def _fetchable(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url
