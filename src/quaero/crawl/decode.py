"""A body as it comes over the wire, unpacked under limits.

Understands `gzip` (of several members) and `deflate` (with or without the zlib header), the two
that `ACCEPT_ENCODING` offers. It unpacks in small steps, so that a bomb is noticed after a step
and not after it has filled the memory.
"""

from __future__ import annotations

import re
import zlib

from quaero.crawl.exchange import MIB, FetchLimits
from quaero.errors import Permanent, Refused, RetryLater

ACCEPT_ENCODING = "gzip, deflate"

_STEP = MIB // 4
# What servers call a body that is not compressed at all, besides the names of charsets.
_PLAIN = frozenset({"", "identity", "none", "binary", "7bit", "8bit"})
_CHARSET = re.compile(r"utf-?8|us-ascii|(?:iso|windows)-[0-9-]+")
_GZIP, _ZLIB, _RAW = 31, 15, -15  # the window sizes by which zlib names the three formats
GZIP_START = b"\x1f\x8b"
"""The first two bytes of gzip data (RFC 1952, 2.3.1)."""


class BodyDecoder:
    """Collects one body: `feed` what arrives, until it is `full` where only its first bytes are
    wanted, then `finish`.

    Raises `Permanent` for an encoding that was not offered or data that is not in it, `Refused`
    ("size") for a body over the limits, and `RetryLater` for one that ends too early.
    """

    def __init__(
        self, content_encoding: str, limits: FetchLimits, first: int | None = None
    ) -> None:
        self._encoding = _known(content_encoding)
        self._limits = limits
        self._first = first
        self._parts: list[bytes] = []
        self._head = b""
        self._inflater: zlib._Decompress | None = None
        self._members = 0
        self.wire = 0
        self.decoded = 0

    @property
    def full(self) -> bool:
        """Whether all that is wanted of the body is here."""
        return self._first is not None and self.decoded >= self._first

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self.wire += len(chunk)
        if self.wire > self._limits.wire:
            raise too_large(self._limits)
        if self._encoding == "identity":
            self._keep(chunk)
        else:
            self._unpack(chunk)

    def finish(self) -> bytes:
        """The whole body, at the end of the data."""
        packed = self._encoding != "identity" and self.wire > 0
        if packed and not self.full and (self._inflater is not None or not self._members):
            raise RetryLater("the body ended in the middle of its compressed data")
        return self.so_far()

    def so_far(self) -> bytes:
        """What has been unpacked, also of a body that turned out to be damaged."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _unpack(self, data: bytes) -> None:
        while data and not self.full:
            if self._inflater is None:
                data = self._head + data
                if len(data) < len(GZIP_START):
                    self._head = data
                    return
                self._head = b""
                if self._members and not (self._encoding == "gzip" and _starts_gzip(data)):
                    return  # padding after the end, which browsers ignore as well
                self._inflater = zlib.decompressobj(self._format(data))
            data = self._inflate(self._inflater, data)

    def _inflate(self, inflater: zlib._Decompress, data: bytes) -> bytes:
        """Unpack up to the end of a member; return what follows it."""
        more = True
        while (data or more) and not self.full:
            try:
                part = inflater.decompress(data, _STEP)
            except zlib.error as error:
                raise self._broken() from error
            self._keep(part)
            data = inflater.unconsumed_tail
            more = len(part) == _STEP
            if inflater.eof:
                self._inflater = None
                self._members += 1
                return inflater.unused_data
        return b""

    def _format(self, data: bytes) -> int:
        if self._encoding == "gzip":
            return _GZIP
        # RFC 9110 8.4.1.2 means the zlib format, RFC 1950 2.2; some servers send it without header.
        is_zlib = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
        return _ZLIB if is_zlib else _RAW

    def _broken(self) -> Permanent | RetryLater:
        if self.decoded:
            return RetryLater(f"the {self._encoding} data of the body is damaged")
        return Permanent(f"the body is said to be {self._encoding} and is not")

    def _keep(self, part: bytes) -> None:
        if self._first is not None:
            part = part[: self._first - self.decoded]
        if not part:
            return
        self._parts.append(part)
        self.decoded += len(part)
        limits = self._limits
        if self.decoded > limits.decoded:
            raise Refused(
                f"the body is larger than {limits.decoded // MIB} MiB unpacked", reason="size"
            )
        if self.decoded > limits.ratio_from and self.decoded > limits.ratio * self.wire:
            raise Refused(
                f"the body grows more than {limits.ratio:.0f} times when unpacked", reason="size"
            )


def too_large(limits: FetchLimits) -> Refused:
    """The refusal of a body that is too large on the wire."""
    return Refused(f"the body is larger than {limits.wire // MIB} MiB", reason="size")


def _known(content_encoding: str) -> str:
    named = [name.strip().lower() for name in content_encoding.split(",")]
    named = [name.removeprefix("x-") for name in named if not _is_plain(name)]
    if not named:
        return "identity"
    if len(named) == 1 and named[0] in ("gzip", "deflate"):
        return named[0]
    raise Permanent(
        f"the body comes in the encoding {content_encoding[:40]!r}; only {ACCEPT_ENCODING} was "
        "asked for"
    )


def _is_plain(name: str) -> bool:
    return name in _PLAIN or _CHARSET.fullmatch(name) is not None


def _starts_gzip(data: bytes) -> bool:
    return data.startswith(GZIP_START)
