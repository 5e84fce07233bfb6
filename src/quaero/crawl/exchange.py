"""The two sides of a fetch: what is asked for and within which limits, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from quaero.crawl.policy import NetworkPolicy

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may cost; times in seconds, sizes in bytes."""

    connect: float = 10.0
    """From the start until the connection stands, name look-up and TLS included."""
    headers: float = 15.0
    """From the sent request until the last header line."""
    total: float = 60.0
    """The whole fetch."""
    rate: float = 1000.0
    """The least bytes per second of a body, on average over `rate_window`."""
    rate_window: float = 10.0
    """How long each `rate * rate_window` bytes of a body may take; so also a slow start's grace."""
    header_bytes: int = 64 * KIB
    """All header lines of an answer together."""
    wire: int = 20 * MIB
    """The body as it is sent."""
    decoded: int = 50 * MIB
    """The body unpacked."""
    ratio: float = 100.0
    """How many times its size on the wire a body may have that is larger than `ratio_from`."""
    ratio_from: int = MIB
    """Up to this unpacked size the ratio is not looked at."""
    url: int = 8 * KIB
    """The address."""


STANDARD = FetchLimits()
"""The limits of every fetch that names no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to fetch.

    `headers` go to this URL's host, so they must have been chosen for it
    (`ScopedCredentials.headers_for`). `etag` and `last_modified` are those of the copy at hand and
    make the request conditional. `accept` is asked with the content type of a successful answer
    (None if it has none) before its body is read. `interval` is how many seconds there should be
    between this request and the one written before it to the same host. With a `body` the request
    is a POST, which is never sent twice, and a refusal says what the server says of it. With
    `first` no more than so many unpacked bytes of the answer's body are read, however long it is.
    """

    url: str
    policy: NetworkPolicy
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    etag: str | None = None
    last_modified: str | None = None
    accept: Callable[[str | None], bool] | None = None
    limits: FetchLimits = STANDARD
    interval: float = 0.0
    body: bytes | None = field(default=None, repr=False)
    first: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """The answer to one request: a page, a redirect (`location`) or "not modified".

    `body` is unpacked, and empty for the latter two; `wire` is its size as it was sent, `elapsed`
    is in seconds, `remote` is the address that answered. `location` and `canonical` (of the `Link`
    header) are absolute. `robots` and `set_cookie` are the values of `X-Robots-Tag` and
    `Set-Cookie`, one a header. The body of a `doubtful` answer may repeat a secret that was sent or
    set, and that is too plain to be taken out of what people read.
    """

    url: str
    status: int
    remote: str
    elapsed: float
    body: bytes = field(default=b"", repr=False)
    wire: int = 0
    location: str | None = None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    canonical: str | None = None
    robots: tuple[str, ...] = ()
    set_cookie: tuple[str, ...] = field(default=(), repr=False)
    doubtful: bool = False

    @property
    def not_modified(self) -> bool:
        """The copy at hand is still good (304)."""
        return self.status == HTTPStatus.NOT_MODIFIED
