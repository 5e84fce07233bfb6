"""What a crawl may reach: its scope, and the choice among the links of a page.

`CrawlScope.refusal` answers for one address, with a word of reason, in the order scheme, scope,
exclude, include, source rules (`products.rules`), trap, depth. `select_links` applies it to the
links of a page and counts what was refused. Both are pure. What needs the memory of a crawl follows
elsewhere: whether an address was seen, how many variants of it there are, the page limit,
robots.txt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from quaero.crawl.patterns import Patterns
from quaero.crawl.products.rules import LinkRules, link_rules
from quaero.crawl.urls import (
    canonical,
    has_other_scheme,
    host_key,
    site,
    without_credentials,
    without_scheme,
)
from quaero.errors import BadInput, BadUrl

ScopeName = Literal["host", "domain", "path", "any"]
MAX_LINK_LENGTH = 2000
MAX_PATH_DEPTH = 20
MAX_REPEATS = 2
SAMPLES = 5

_ASSET = re.compile(
    r"\.(?:png|jpe?g|gif|webp|avif|svg|ico|bmp|tiff?|heic|psd"
    r"|woff2?|ttf|otf|eot"
    r"|zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|war|whl|deb|rpm|apk|dmg|pkg|iso|img|exe|msi|bin"
    r"|mp3|mp4|m4a|m4v|og[gav]|wav|flac|aac|webm|avi|mov|mkv|wmv|mpe?g"
    r"|css|[mc]?js|map|wasm)\Z",
    re.IGNORECASE,
)
# Below these, a page is named like the file it is about: a wiki's, a forge's.
_PAGES_ABOUT_FILES = ("/wiki/", "/blob/", "/blame/", "/src/branch/", "/src/commit/")


@dataclass(frozen=True)
class CrawlScope:
    """Which addresses belong to a crawl.

    `scope` is what the seeds stand for: `host` their host and port, over http and https alike, and
    with or without `www.` (a site sends visitors from one to the other);
    `domain` their registrable domain with all its hosts and ports; `path` what lies in the
    directory of a seed (`/docs/` and `/docs/index.html` both stand for `/docs/`, `/docs` for `/`);
    `any` everything. `max_depth` counts links from a seed, which has depth 0.

    `within` narrows like `include`: an address must fit one of each that has any patterns.

    A seed was asked for by name: it is refused by `exclude` only, whatever its depth, or because
    following it would change something. `source_type` chooses the rules of a kind of source.

    Raises BadUrl, BadPattern or BadInput when built of something unusable. The seeds are stored in
    canonical form, spelled as the source's pages are, without duplicates.
    """

    seeds: tuple[str, ...]
    scope: ScopeName = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_depth: int = 3
    source_type: str = "web"
    within: tuple[str, ...] = ()
    rules: LinkRules | None = field(init=False, repr=False, compare=False)
    _seeds: frozenset[str] = field(init=False, repr=False, compare=False)
    _include: Patterns = field(init=False, repr=False, compare=False)
    _exclude: Patterns = field(init=False, repr=False, compare=False)
    _within: Patterns = field(init=False, repr=False, compare=False)
    _prefixes: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _sites: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.scope not in get_args(ScopeName):
            raise BadInput(f"The scope {self.scope!r} is none of host, domain, path and any.")
        if not self.seeds:
            raise BadInput("A crawl needs at least one address to start from.")
        if self.max_depth < 0:
            raise BadInput(f"The depth {self.max_depth} is below 0, which means the seeds only.")
        seeds = tuple(dict.fromkeys(canonical(seed) for seed in self.seeds))
        rules = link_rules(self.source_type, seeds)
        if rules is not None:
            seeds = tuple(dict.fromkeys(map(rules.spelled, seeds)))
        prefix = _directory if self.scope == "path" else _root
        for name, value in (
            ("seeds", seeds),
            ("rules", rules),
            ("_seeds", frozenset(seeds)),
            ("_include", Patterns(self.include)),
            ("_exclude", Patterns(self.exclude)),
            ("_within", Patterns(self.within)),
            ("_prefixes", tuple(each for seed in seeds for each in _with_twin(prefix(seed)))),
            ("_sites", frozenset(site(host_key(seed)) for seed in seeds)),
        ):
            object.__setattr__(self, name, value)

    def is_seed(self, url: str) -> bool:
        """Tell whether the canonical address `url` is one of the seeds."""
        return url in self._seeds

    def spelled(self, url: str) -> str:
        """The spelling of a canonical address under which the source's page is collected."""
        return url if self.rules is None else self.rules.spelled(url)

    def is_login(self, url: str) -> bool:
        """Tell whether the source's product asks for a login at a canonical address."""
        return self.rules is not None and self.rules.is_login(url)

    def is_list(self, url: str) -> bool:
        """Tell whether a canonical address only leads to the source's pages."""
        return self.rules is not None and self.rules.is_list(url)

    def refusal(self, url: str, depth: int) -> str | None:
        """Return why the canonical address `url`, found at `depth`, is not crawled, or None.

        The reasons are `scheme`, `scope`, `exclude`, `include`, `trap`, `depth` and those of the
        source rules.
        """
        if self.is_seed(url):
            return self._refusal_of_seed(url)
        if not url.startswith(("https://", "http://")):
            return "scheme"
        if not self._in_scope(url):
            return "scope"
        if self._exclude.match(url):
            return "exclude"
        for needed in (self._within, self._include):
            if needed and not needed.match(url):
                return "include"
        if self.rules is not None and (reason := self.rules.refusal(url)) is not None:
            return reason
        if looks_like_trap(url):
            return "trap"
        return "depth" if depth > self.max_depth else None

    def _refusal_of_seed(self, url: str) -> str | None:
        if self._exclude.match(url):
            return "exclude"
        return "action" if self.rules is not None and self.rules.acts(url) else None

    def _in_scope(self, url: str) -> bool:
        if self.scope == "any":
            return True
        if self.scope == "domain":
            return site(host_key(url)) in self._sites
        return without_scheme(url).startswith(self._prefixes)


def _with_twin(prefix: str) -> tuple[str, str]:
    """A place, with and without `www.` before its host."""
    bare = prefix.removeprefix("www.")
    return (bare, f"www.{bare}")


def _root(seed: str) -> str:
    return host_key(seed) + "/"


def _directory(seed: str) -> str:
    path = without_scheme(seed).partition("?")[0]
    return path[: path.rindex("/") + 1]


def looks_like_trap(url: str) -> bool:
    """Tell whether a canonical address has the form of a link that never ends.

    Such are addresses longer than `MAX_LINK_LENGTH`, paths deeper than `MAX_PATH_DEPTH`, and
    paths in which one segment occurs more than `MAX_REPEATS` times.
    """
    if len(url) > MAX_LINK_LENGTH:
        return True
    segments = [part for part in without_scheme(url).partition("?")[0].split("/")[1:] if part]
    if len(segments) > MAX_PATH_DEPTH:
        return True
    if len(segments) - len(set(segments)) < MAX_REPEATS:
        return False
    return max(Counter(segments).values()) > MAX_REPEATS


@dataclass(frozen=True, slots=True)
class LinkChoice:
    """The links of a page, decided.

    `admitted` are canonical addresses in the order of the page, each once. `refused` counts the
    different ones that were refused by reason, and `samples` names up to `SAMPLES` of each.
    """

    admitted: list[str]
    refused: dict[str, int]
    samples: dict[str, list[str]]


def select_links(
    hrefs: Iterable[tuple[str, bool]],
    base: str,
    scope: CrawlScope,
    depth: int,
    *,
    page: str | None = None,
) -> LinkChoice:
    """Choose among the links of a page those that its crawl should follow.

    `hrefs` are the links as written, in order, each with whether it is `nofollow`; one that also
    occurs without is followed. `base` is the canonical address they are resolved against, and
    `page` that of the page where it is another one; links to the page itself are passed over.
    `depth` is that of the pages linked to: one more than the page's own.

    To the reasons of `CrawlScope.refusal` come `scheme` for `mailto:` and the like, `invalid`,
    `asset` for what by its extension is no page (images, fonts, archives, video, styles, scripts)
    and `nofollow`.
    """
    admitted: list[str] = []
    refusals: list[tuple[str, str]] = []
    decided = {page or base}
    for href, nofollow in _distinct(hrefs):
        if has_other_scheme(href):
            refusals.append(("scheme", href))
            continue
        try:
            url = scope.spelled(canonical(href, base))
        except BadUrl:
            refusals.append(("invalid", without_credentials(href)))
            continue
        if url in decided:
            continue
        decided.add(url)
        reason = "nofollow" if nofollow else _refusal(url, scope, depth)
        if reason is None:
            admitted.append(url)
        else:
            refusals.append((reason, url))
    return _choice(admitted, refusals)


def _distinct(hrefs: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """Yield each link as written once, those to be followed first: resolving is what costs."""
    followed: dict[str, None] = {}
    ignored: dict[str, None] = {}
    for href, nofollow in hrefs:
        (ignored if nofollow else followed)[href.strip(" \t\n\r\f")] = None
    for href in followed:
        yield href, False
    for href in ignored:
        if href not in followed:
            yield href, True


def _refusal(url: str, scope: CrawlScope, depth: int) -> str | None:
    if not scope.is_seed(url) and _is_asset(url):
        return "asset"
    return scope.refusal(url, depth)


def _choice(admitted: list[str], refusals: list[tuple[str, str]]) -> LinkChoice:
    counts = Counter(reason for reason, _ in refusals)
    samples: dict[str, list[str]] = {reason: [] for reason in counts}
    for reason, link in refusals:
        if len(samples[reason]) < SAMPLES:
            samples[reason].append(shortened(link))
    return LinkChoice(admitted, dict(counts), samples)


def shortened(link: str) -> str:
    """A link as it is kept among the samples of what was refused."""
    return link if len(link) <= 200 else link[:200] + "…"


def _is_asset(url: str) -> bool:
    path = without_scheme(url).partition("?")[0].partition("/")[2]
    if not _ASSET.search(path):
        return False
    return not any(mark in f"/{path}" for mark in _PAGES_ABOUT_FILES)
