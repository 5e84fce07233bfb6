"""What the reader of a product makes of one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPage:
    """A page of a product.

    `entity` says what it is about: `issue`, `project`, `page` or `space`. `markup` is what becomes
    Markdown, None where the content is to be found as on any page. `metadata` has one key, the
    entity's or `page`, and under it the values that `docs/reference/products.md` lists; dates are
    ISO 8601, without a zone where the page names none.

    `denied`: the page says that this account may not see what was asked for, or that it does not
    exist. `signed_in` is None where the page does not tell whether anybody is.
    """

    entity: str = "page"
    title: str = ""
    markup: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    author: str | None = None
    published: str | None = None
    modified: str | None = None
    denied: bool = False
    signed_in: bool | None = None
