"""The way that redirects led to a page, as the job of the page keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

MOST_HOPS = 20
_FOR_GOOD = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)


class Way(NamedTuple):
    """The addresses that redirects led over, and those of them that sent on for good."""

    trail: list[str]
    moved: list[str]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Way:
        """The way as the state of a job has it."""
        return cls(state.get("trail", []), state.get("moved", []))

    def over(self, url: str, status: int) -> Way:
        """The way that goes on from `url`, which answered with `status`."""
        return Way([*self.trail, url], [*self.moved, url] if status in _FOR_GOOD else self.moved)

    def state(self, target: str) -> dict[str, Any]:
        """What a job keeps that is to fetch `target` next."""
        return {"url": target, **self._asdict()}

    def left(self, url: str) -> list[str]:
        """The addresses, each once, that a page has left for good which is now at `url`."""
        return [each for each in dict.fromkeys(self.moved) if each != url]
