"""Where the bundle of the pages lies, and whether it was made.

It is made when the package is built. A server without it could show nothing to anybody who opens
it, so `quaero serve` refuses to start; this module is small so that asking costs nothing.
"""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
PAGE = "index.html"
UNBUILT = (
    "the pages are not built, so there would be nothing to see; install Quaero again, "
    "or in a clone start it with `python3 dev.py run serve`, which builds them"
)


def is_built(folder: Path | None = None) -> bool:
    """Whether there is a page to show."""
    return ((folder or STATIC) / PAGE).is_file()
