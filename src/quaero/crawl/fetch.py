"""The one way out: everything Quaero reads from the network is read by `Fetcher.fetch`.

One call is one request and one answer. It promises that nothing is sent to an address which the
request's policy does not allow, that no answer costs more than its limits, that a redirect is
returned and never followed, and that every failure is one of three: `RetryLater`, `Permanent`
(`HttpStatus` where the site said so) or `Refused`. No message contains a header's or cookie's
value. Which page to fetch, when, and with which credentials is for others to say.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from types import TracebackType
from typing import Self

import ada_url
import yarl
from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientPayloadError,
    ClientResponseError,
    ClientSession,
    InvalidURL,
)

import quaero
from quaero.clock import Clock, SystemClock
from quaero.crawl.answer import read_answer
from quaero.crawl.connect import (
    FLIGHT,
    Connections,
    Flight,
    Spacing,
    Watch,
    open_session,
    tls_context,
)
from quaero.crawl.decode import ACCEPT_ENCODING
from quaero.crawl.exchange import KIB, FetchLimits, FetchRequest, FetchResult
from quaero.crawl.headers import check_headers
from quaero.crawl.policy import literal_address
from quaero.crawl.resolve import Lookup, SystemLookup
from quaero.errors import HttpStatus, JobError, Permanent, Refused, RetryLater

__all__ = ["USER_AGENT", "FetchLimits", "FetchRequest", "FetchResult", "Fetcher", "HttpStatus"]

USER_AGENT = f"Quaero/{quaero.__version__}"

_ALWAYS = {
    "Accept": "text/html, application/xhtml+xml, */*;q=0.8",
    "Accept-Encoding": ACCEPT_ENCODING,
}
_MOST_HEADER_LINES = 256


class Fetcher:
    """Fetches over one pool of kept connections, in the event loop of its first fetch.

    `user_agent` is the name told to sites, `lookup` finds the addresses of names, `clock` reads
    dates in answers, `per_host` limits the open connections to one host (0: no limit, as the lanes
    of the queue limit requests). Close it, or use it with `async with`.
    """

    def __init__(
        self,
        *,
        lookup: Lookup | None = None,
        clock: Clock | None = None,
        per_host: int = 0,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.user_agent = user_agent
        self._system_lookup = SystemLookup()
        self.lookup: Lookup = lookup or self._system_lookup
        self._clock = clock or SystemClock()
        self._per_host = per_host
        self._session: ClientSession | None = None
        self._tls_context: ssl.SSLContext | None = None
        self._connections = Connections()
        self._watch = Watch()
        self._spacing = Spacing()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; fetches under way fail."""
        if self._session is not None:
            await self._session.close()
        self._watch.stop()
        self._system_lookup.close()

    async def fetch(self, request: FetchRequest) -> FetchResult:
        """Send one request and return its answer: status 2xx, 304, or 3xx with a `location`.

        Raises `Refused` with the reason "url", "network", "content-type" or "size"; `RetryLater`
        for failed connections, timeouts, truncated bodies, 408, 425, 429 and 5xx (429 and 503 with
        `hold`, and `after` if the site named a time); `HttpStatus` for any other status;
        `Permanent` for a certificate that is not accepted and for what is not HTTP (`RetryLater` on
        a connection that was kept); `BadInput` for a header that cannot be sent.
        """
        url, address = _target(request)
        headers, limits, host = _headers(request), request.limits, address.raw_host or ""
        if literal := literal_address(host):
            request.policy.check(literal, host)
        now = asyncio.get_running_loop().time()
        timer = asyncio.timeout(None)
        flight = Flight(url, host, request, self._connections, self._spacing, timer, now)
        flight.wait("the connection", limits.connect)
        token = FLIGHT.set(flight)
        try:
            async with (
                self._watch.over(flight),
                self._client().request(
                    "GET" if request.body is None else "POST",
                    address,
                    data=request.body,
                    headers=headers or None,
                    allow_redirects=False,
                    ssl=self._tls() if address.scheme == "https" else True,
                    max_field_size=limits.header_bytes,
                    max_headers=_MOST_HEADER_LINES,
                ) as response,
            ):
                return await read_answer(request, response, flight, self._clock)
        except (ClientError, TimeoutError) as error:
            raise _meaning(error, flight) from None
        finally:
            self._watch.forget(flight)
            self._connections.leave(flight)
            FLIGHT.reset(token)

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = open_session(
                self.lookup, self._per_host, _ALWAYS | {"User-Agent": self.user_agent}
            )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        """Made when first needed: it reads some hundred certificates, which takes 20 ms."""
        if self._tls_context is None:
            self._tls_context = tls_context()
        return self._tls_context


def _target(request: FetchRequest) -> tuple[str, yarl.URL]:
    """The request's URL in normal form, as text and as the HTTP client takes it."""
    most = request.limits.url
    try:
        url = ada_url.normalize_url(request.url) if len(request.url) <= most else request.url
        address = yarl.URL(url, encoded=True)
    except ValueError:
        raise Refused("the address is not one of the web", reason="url") from None
    if len(url) > most:
        raise Refused(f"the address is longer than {most // KIB} KiB", reason="url")
    if address.scheme not in ("http", "https"):
        raise Refused(f"only http and https are fetched, not {address.scheme}", reason="url")
    if address.raw_user is not None or address.raw_password is not None:
        raise Refused(
            f"an address at {address.raw_host} has a name or password in it; "
            "leave it out and give a header instead",
            reason="url",
        )
    return url, address


def _headers(request: FetchRequest) -> dict[str, str]:
    headers = dict(request.headers)
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.last_modified:
        headers["If-Modified-Since"] = request.last_modified
    check_headers(headers)
    return headers


def _meaning(error: Exception, flight: Flight) -> JobError:
    """What a failure of the HTTP client means; its own words may quote secrets and are left out."""
    host = flight.host
    match error:
        case TimeoutError():
            return RetryLater(
                f"{host} took too long: gave up after {flight.elapsed():.1f} s, "
                f"waiting for {flight.waiting_for}"
            )
        case ClientConnectorCertificateError(certificate_error=problem):
            reason = getattr(problem, "verify_message", "") or "it does not fit the host"
            return Permanent(f"the certificate of {host} is not accepted: {reason}")
        case ClientConnectorSSLError():
            return RetryLater(f"no secure connection to {host}: the TLS handshake failed")
        case ClientConnectorError(os_error=problem):
            why = os.strerror(problem.errno) if problem.errno else problem.strerror or problem
            return RetryLater(f"no connection to {host}: {why}")
        case ClientResponseError():
            said = f"{host} answered with something that is not valid HTTP"
            # on a kept connection it may be what was left of the answer before
            return RetryLater(said) if flight.reused else Permanent(said)
        case ClientPayloadError():
            return RetryLater(f"the body from {host} ended early or is damaged")
        case InvalidURL():
            return Permanent(f"{flight.url} is an address that cannot be requested")
        case _:
            return RetryLater(f"{host} closed the connection without an answer")
