"""The link rules of a crawl whose source is a Jira or a Confluence.

They come after scope, exclude and include, and refuse with one of four words: `source` for what is
no page of the product or lies outside of its base, `view` for one of endlessly many views of the
same things, `action` for what changes something or ends the session, `asset` for attachments.
An include pattern narrows what is left and never brings back what is refused here. A view is
collected if it is named as a seed (a filter, say), and so are the further pages of such a list. An
action is never followed, not even as a seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from quaero.crawl.products import confluence_links, jira_links
from quaero.crawl.products.places import Place, base_of, below, place_of, without_paging


class _Product(NamedTuple):
    own: frozenset[str]
    login: re.Pattern[str]
    spelled: Callable[[str, Place], tuple[str, str]]
    refusal: Callable[[str, Place], str | None]
    holds: re.Pattern[str]
    below_base: str = ""


_PRODUCTS = {
    "jira": _Product(jira_links.OWN, jira_links.LOGIN, jira_links.spelled, jira_links.refusal,
                     jira_links.HOLDS),
    "confluence": _Product(
        confluence_links.OWN, confluence_links.LOGIN, confluence_links.spelled,
        confluence_links.refusal, confluence_links.HOLDS, "/wiki",
    ),
}  # fmt: skip


class LinkRules:
    """The rules of one kind of source; immutable. All addresses are canonical."""

    def __init__(self, kind: str, seeds: Sequence[str]) -> None:
        self._product = _PRODUCTS[kind]
        self.bases = tuple(dict.fromkeys(base_of(seed, self._product.own) for seed in seeds))
        spelled = (self.spelled(seed) for seed in seeds)
        self._lists = frozenset(without_paging(seed) for seed in spelled if "?" in seed)

    def spelled(self, url: str) -> str:
        """The one spelling of an address under which its page is collected.

        Addresses of which nothing is known stay as they are.
        """
        base = below(url, self.bases)
        if base is None:
            return url
        root, path, at = self._inside(url, base)
        made, query = self._product.spelled(path, at)
        if query == "?":  # nothing said about the query: it stays
            query = url[url.index("?") :] if "?" in url else ""
        return f"{root}{made}{query}"

    def refusal(self, url: str) -> str | None:
        """The word of reason for not following an address, or None."""
        base = below(url, self.bases)
        if base is None:
            return "source"
        _, path, at = self._inside(url, base)
        reason = self._product.refusal(path, at)
        return None if reason == "view" and self._is_listed(url) else reason

    def acts(self, url: str) -> bool:
        """Whether an address, of a seed too, is one that changes something."""
        return self.refusal(url) == "action"

    def is_login(self, url: str) -> bool:
        """Whether an address is where the product, or what stands before it, asks to log in."""
        return self._product.login.search(place_of(url).path) is not None

    def is_list(self, url: str) -> bool:
        """Whether an address holds nothing of its own: a list, a filter, the product's first page.

        Such a page is read for its links.
        """
        base = below(url, self.bases)
        return base is None or not self._product.holds.match(self._inside(url, base)[1])

    def _is_listed(self, url: str) -> bool:
        return "?" in url and without_paging(url) in self._lists

    def _inside(self, url: str, base: str) -> tuple[str, str, Place]:
        """What stands before the product's own path, that path, and the address split."""
        at = place_of(url)
        path = (at.origin + at.path)[len(base) :] or "/"
        prefix = self._product.below_base
        if prefix and path.startswith(f"{prefix}/"):
            return base + prefix, path[len(prefix) :], at
        return base, path, at


def link_rules(kind: str, seeds: Sequence[str]) -> LinkRules | None:
    """The rules of a kind of source; None for one that has none (`web`)."""
    return LinkRules(kind, seeds) if kind in _PRODUCTS else None
