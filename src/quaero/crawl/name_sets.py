"""Sets of names (of tags, classes, labels) written as one readable text."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())
