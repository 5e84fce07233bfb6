"""Reading one answer: which kind it is by its status, and its body within the limits.

It promises a `FetchResult` for a page, a redirect and "not modified", and one of the errors named
at `Fetcher.fetch` for everything else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus

from aiohttp import ClientError, ClientResponse, hdrs

from quaero.clock import Clock
from quaero.crawl.connect import Flight
from quaero.crawl.decode import BodyDecoder, too_large
from quaero.crawl.echoes import Echoes
from quaero.crawl.exchange import KIB, FetchRequest, FetchResult
from quaero.crawl.headers import absolute, canonical_link, retry_after, text
from quaero.errors import HttpStatus, JobError, Permanent, Refused, RetryLater

_SMALL_BODY = 16 * KIB  # an unwanted body up to this size is read, to keep the connection
_BRIEF = 1.0  # seconds for that
_LONGEST_SAID = 300
_LINE_ENDS = 4  # ": " and CRLF of each header line

_OVERLOADED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}


async def read_answer(
    request: FetchRequest, response: ClientResponse, flight: Flight, clock: Clock
) -> FetchResult:
    """The answer, its body read, without what it repeats of the secrets that were sent.

    `clock` tells the time for dates in it.
    """
    echoes = Echoes(request.headers, _headers(response, hdrs.SET_COOKIE))
    return echoes.left_out(await _read_answer(request, response, flight, clock, echoes))


async def _read_answer(
    request: FetchRequest, response: ClientResponse, flight: Flight, clock: Clock, echoes: Echoes
) -> FetchResult:
    _check_header_size(response, flight)
    status = response.status
    if 200 <= status < 300:
        return _result(response, flight, body=await _wanted_body(request, response, flight, echoes))
    if request.body is not None:
        raise _refusal(response, flight, clock, echoes.without(await _said(response)))
    await _spare_connection(response)
    if status == HTTPStatus.NOT_MODIFIED and (request.etag or request.last_modified):
        return _result(response, flight)
    location = response.headers.get(hdrs.LOCATION)
    if 300 <= status < 400 and location is not None:
        return _result(response, flight, location=_redirect(text(location), flight))
    raise _refusal(response, flight, clock)


async def _wanted_body(
    request: FetchRequest, response: ClientResponse, flight: Flight, echoes: Echoes
) -> BodyDecoder:
    content_type = _header(response, hdrs.CONTENT_TYPE)
    if request.accept is not None and not request.accept(content_type):
        await _spare_connection(response)
        named = echoes.without(content_type or "unknown")
        raise Refused(
            f"{flight.url} is of the type {named}, which is not collected",
            reason="content-type",
        )
    codings = ",".join(_headers(response, hdrs.TRANSFER_ENCODING)).lower()
    if codings.replace(" ", "") not in ("", "chunked"):
        raise Permanent(f"{flight.url} was sent in a form that was not asked for")  # RFC 9112, 7.4
    encoding = ",".join(_headers(response, hdrs.CONTENT_ENCODING))
    decoder = BodyDecoder(encoding, flight.limits, request.first)
    if request.first is None and (response.content_length or 0) > flight.limits.wire:
        raise too_large(flight.limits)
    await _read(response, decoder, flight)
    return decoder


async def _read(response: ClientResponse, decoder: BodyDecoder, flight: Flight) -> None:
    """Feed the decoder what is wanted of the body, at no less than the least rate."""
    limits, content = flight.limits, response.content
    quota = limits.rate * limits.rate_window
    due = 0.0
    while not content.at_eof() and not decoder.full:
        if decoder.wire >= due and not content.is_eof():
            due = decoder.wire + quota
            flight.wait("the body", limits.rate_window)
        decoder.feed(await content.readany())


async def _spare_connection(response: ClientResponse) -> None:
    """Read a small body that nobody wants, because its connection can then be used again."""
    if response.content.is_eof() or not 0 < (response.content_length or 0) <= _SMALL_BODY:
        return
    with suppress(ClientError, TimeoutError):
        async with asyncio.timeout(_BRIEF):
            await response.read()


def _result(
    response: ClientResponse,
    flight: Flight,
    *,
    body: BodyDecoder | None = None,
    location: str | None = None,
) -> FetchResult:
    links = _headers(response, hdrs.LINK)
    return FetchResult(
        url=flight.url,
        status=response.status,
        remote=flight.remote,
        elapsed=flight.elapsed(),
        body=body.finish() if body is not None else b"",
        wire=body.wire if body is not None else 0,
        location=location,
        content_type=_header(response, hdrs.CONTENT_TYPE),
        etag=_header(response, hdrs.ETAG),
        last_modified=_header(response, hdrs.LAST_MODIFIED),
        canonical=canonical_link(links, flight.url) if links else None,
        robots=_headers(response, "X-Robots-Tag"),
        set_cookie=_headers(response, hdrs.SET_COOKIE),
    )


async def _said(response: ClientResponse) -> str:
    """The beginning of what a server says to a refused request, on one line."""
    try:
        async with asyncio.timeout(_BRIEF):
            words = (await response.content.read(_SMALL_BODY)).decode("utf-8", "replace")
    except (ClientError, TimeoutError):
        return ""
    return text(" ".join(words.split()))[:_LONGEST_SAID]


def _refusal(response: ClientResponse, flight: Flight, clock: Clock, reason: str = "") -> JobError:
    status = response.status
    said = f"{flight.url} answered {status} {_phrase(status)}".rstrip()
    said += f": {reason}" if reason else ""
    if status in _OVERLOADED:
        after = retry_after(response.headers.get(hdrs.RETRY_AFTER), clock.wall())
        return RetryLater(said, after=after or None, hold=True)  # "at once" is no time to wait
    if status in _PASSING or 500 <= status < 600:
        return RetryLater(said)
    return HttpStatus(said, status)


def _redirect(location: str, flight: Flight) -> str:
    target = absolute(location, flight.url)
    if target is None:
        raise Permanent(f"{flight.url} redirects to something that is not an address")
    return target


def _check_header_size(response: ClientResponse, flight: Flight) -> None:
    most = flight.limits.header_bytes
    if sum(len(name) + len(value) + _LINE_ENDS for name, value in response.raw_headers) > most:
        raise Permanent(f"{flight.url} sent more than {most // KIB} KiB of headers")


def _header(response: ClientResponse, name: str) -> str | None:
    value = response.headers.get(name)
    return None if value is None else text(value)


def _headers(response: ClientResponse, name: str) -> tuple[str, ...]:
    values = response.headers.getall(name, ())
    return tuple(map(text, values)) if values else ()


def _phrase(status: int) -> str:
    try:
        return f"({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
