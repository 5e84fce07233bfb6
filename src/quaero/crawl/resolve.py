"""From host names to addresses that may be connected to.

Names are looked up by the operating system, on threads of their own, so that a dead name server
holds up no other work. What is found passes the network policy of the request under way before the
HTTP client sees it; the client connects to exactly these addresses, so a name that answers
differently a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import ada_url
from aiohttp.abc import AbstractResolver, ResolveResult

from quaero.crawl.policy import Kind, NetworkPolicy, kind, literal_address
from quaero.errors import Refused, RetryLater

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Finds the addresses of a host name: none if there is no such name, `OSError` if unknown now."""

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens there
"""Where the system connects to for an address that names none (servers print it as their own)."""
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class SystemLookup:
    """The operating system's name look-up, at most `threads` at a time."""

    def __init__(self, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="quaero-names")

    async def __call__(self, host: str) -> list[str]:
        """The addresses of `host`, in the system's order of preference, each once."""
        ask = functools.partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                return []
            raise
        except UnicodeError:  # a label of no length or of more than 63 letters
            return []
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        """Let the threads end; look-ups under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def admitted(host: str, policy: NetworkPolicy, lookup: Lookup) -> list[str]:
    """The addresses of `host` that `policy` allows, never none.

    Raises `Refused` if there are addresses but none is allowed, and `RetryLater` if there are none
    or the name server does not answer.
    """
    try:
        found = await lookup(host)
    except OSError as error:
        raise RetryLater(
            f"the address of {host} could not be looked up: {error.strerror or 'no answer'}"
        ) from error
    if not found:
        raise RetryLater(f"there is no host named {host}")
    if policy.seeks(host):
        policy.fix(host, _inside(found))
    allowed = [address for address in found if _passes(policy, address, host)]
    if not allowed:
        policy.check(found[0], host)
    return allowed


async def inside_seeds(urls: Iterable[str], lookup: Lookup) -> dict[str, list[str] | None]:
    """For each seed's host that is not public: its addresses, for `NetworkPolicy(seeds=…)`.

    To be asked once when a crawl begins, and kept with it. Most crawls get an empty answer. A name
    that does not exist has no addresses, and for one that cannot be looked up now there is None:
    the pages of other seeds need not wait for it.
    """
    hosts = dict.fromkeys(ada_url.URL(url).hostname for url in urls)
    inside: dict[str, list[str] | None] = {}
    for host in hosts:
        try:
            literal = literal_address(host)
            own = _inside([literal] if literal else await lookup(host))
        except OSError:
            inside[host] = None
            continue
        if own:
            inside[host] = own
    return inside


def _inside(addresses: Iterable[str]) -> list[str]:
    """A seed's addresses that are not public, and where the system connects to for them."""
    own = [address for address in addresses if kind(address) is Kind.INSIDE]
    return own + [_LOOPBACK[address] for address in own if address in _LOOPBACK]


class PolicyResolver(AbstractResolver):
    """Hands the HTTP client the admitted addresses, by the policy of the request under way."""

    def __init__(self, lookup: Lookup, policy: Callable[[], NetworkPolicy]) -> None:
        self._lookup = lookup
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The admitted addresses in the client's form; `family` is any, both are used."""
        del family
        addresses = await admitted(host, self._policy(), self._lookup)
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is held open."""


def _passes(policy: NetworkPolicy, address: str, host: str) -> bool:
    try:
        policy.check(address, host)
    except Refused:
        return False
    return True


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
