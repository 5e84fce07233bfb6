"""Which network addresses a crawl may connect to.

A page may link anywhere, and a name may resolve to anything; this policy keeps a crawl from
reaching the user's own network through either. It promises a verdict on an address alone, with no
look at the network. Resolving names and connecting only to what passed is the fetcher's part.

Addresses are of three kinds:

- *public*: allowed;
- *inside* (private, loopback, shared, unspecified, documentation, reserved …): allowed only where
  a seed of the crawl is itself at that address, or a configured network contains it;
- *never* (link-local, cloud metadata, multicast, broadcast): refused whatever is configured.

Sources: the IANA special-purpose address registries (RFC 6890 and its updates), RFC 4291 and
RFC 6052 for IPv4 addresses carried in IPv6 ones, and the manuals of the cloud vendors.
"""

from __future__ import annotations

import enum
import functools
import ipaddress
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from quaero.errors import BadConfig, Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Kind(enum.Enum):
    """What an address is to a crawl."""

    PUBLIC = "public"
    INSIDE = "inside"
    NEVER = "never"


_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, and the metadata address of most clouds
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",  # broadcast
        "100.100.100.200/32",  # metadata: Alibaba
        "168.63.129.16/32",  # metadata: Azure
        "192.0.0.192/32",  # metadata: Oracle
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
        "fd00:ec2::/32",  # metadata: Amazon
        "fd20:ce::254/128",  # metadata: Google
        "fd00:42::42/128",  # metadata: Scaleway
    )
)

_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared, RFC 6598
        "127.0.0.0/8",  # loopback
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # former 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "240.0.0.0/4",  # reserved, RFC 1112
        "2001::/23",  # protocol assignments, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "3fff::/20",  # documentation, RFC 9637
    )
)

_MOST_REMEMBERED = 4096

_GLOBAL_UNICAST = IPv6Network("2000::/3")  # outside of it no IPv6 address is public, RFC 4291
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 2.5.5.1
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")  # RFC 8215


class NetworkPolicy:
    """The addresses one crawl may connect to.

    `allow_networks` are networks in CIDR notation that are allowed although inside, from the
    setting `crawl.allow_networks`. `seeds` names, for each host of a seed, the addresses at which
    that host was found when the crawl began (`resolve.inside_seeds` finds them); they are allowed
    for that host and no other. Because they are fixed then, a name that changes its address during
    the crawl gains nothing. A host that could not be looked up then has None, and is fixed where it
    is first found.

    Raises `BadConfig` for a network that is none.
    """

    def __init__(
        self,
        allow_networks: Iterable[str] = (),
        seeds: Mapping[str, Iterable[str] | None] | None = None,
    ) -> None:
        self._networks = tuple(_network(text) for text in allow_networks)
        self._seeds: dict[str, frozenset[Address]] = {}
        self._sought: set[str] = set()
        for host, addresses in (seeds or {}).items():
            self._sought.add(_bare(host))
            if addresses is not None:
                self.fix(host, addresses)
        self._passed: set[tuple[str, str]] = set()

    def seeks(self, host: str) -> bool:
        """Whether it is not known yet where the host of a seed is."""
        return _bare(host) in self._sought

    def fix(self, host: str, addresses: Iterable[str]) -> None:
        """Note where the host of a seed was found, once and for all."""
        self._sought.discard(_bare(host))
        self._seeds[_bare(host)] = frozenset(_plain(_address(text))[0] for text in addresses)

    def check(self, address: str, host: str) -> None:
        """Return if `host` may be reached at `address`; otherwise raise `Refused` ("network")."""
        verdict = kind(address)
        if verdict is Kind.PUBLIC or (address, host) in self._passed:
            return
        if verdict is Kind.NEVER:
            raise Refused(
                f"{host} is at {address}, a link-local, metadata or multicast address; "
                "such addresses are never fetched",
                reason="network",
            )
        if not self._lets_inside(address, _bare(host)):
            raise Refused(
                f"{host} is at {address}, which is not a public address; start a crawl there, "
                "or name its network in crawl.allow_networks",
                reason="network",
            )
        if len(self._passed) < _MOST_REMEMBERED:
            self._passed.add((address, host))

    def _lets_inside(self, address: str, host: str) -> bool:
        own = self._seeds.get(host, frozenset())
        return all(
            kind(str(plain)) is Kind.PUBLIC
            or plain in own
            or any(plain in network for network in self._networks)
            for plain in _plain(_address(address))
        )


@functools.lru_cache(maxsize=4096)
def kind(address: str) -> Kind:
    """The kind of an address; one that carries an IPv4 address is of the worse kind of the two.

    What is not an address at all is never connected to, so it is `Kind.NEVER`.
    """
    try:
        parsed = _address(address)
    except ValueError:
        return Kind.NEVER
    kinds = {_kind_of_plain(plain) for plain in _plain(parsed)}
    if Kind.NEVER in kinds:
        return Kind.NEVER
    return Kind.INSIDE if Kind.INSIDE in kinds else Kind.PUBLIC


@functools.lru_cache(maxsize=4096)
def literal_address(host: str) -> str | None:
    """The address a URL's host is written as, without brackets; None for a name."""
    bare = host.strip("[]")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return None
    return bare


def _kind_of_plain(address: Address) -> Kind:
    if _within(address, _NEVER):
        return Kind.NEVER
    if _within(address, _INSIDE):
        return Kind.INSIDE
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Kind.INSIDE
    return Kind.PUBLIC


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _plain(address: Address) -> tuple[Address, ...]:
    """The addresses that decide about `address`: itself, or the IPv4 ones that it carries."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    bits = int(address)
    if address in _NAT64 or (address in _COMPATIBLE and bits > 1):
        return (IPv4Address(bits & 0xFFFF_FFFF),)
    if address in _LOCAL_NAT64:
        in_the_middle = (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF
        return (address, IPv4Address(in_the_middle), IPv4Address(bits & 0xFFFF_FFFF))
    return (address,)


def _address(text: str) -> Address:
    return ipaddress.ip_address(_bare(text))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadConfig(
            f"crawl.allow_networks: {text!r} is not a network; write one like 10.0.0.0/8"
        ) from error


def _bare(host: str) -> str:
    """The host as it is compared: lower case, no brackets, no zone, no final dot."""
    return host.lower().strip("[]").split("%")[0].removesuffix(".")
