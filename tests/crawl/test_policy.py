"""The network policy: every kind of address, and who may let an inside one through."""

import pytest

from quaero.crawl.policy import NetworkPolicy, literal_address
from quaero.crawl.resolve import SystemLookup, admitted, inside_seeds
from quaero.errors import BadConfig, Refused, RetryLater

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "240.0.0.1",
    "255.255.255.254",
    "::",
    "::1",
    "fc00::1",
    "fdff::1",
    "fec0::1",
    "100::1",
    "2001:db8::1",
    "2001:10::1",
    "3fff::1",
    "4000::1",
    "64:ff9b:1::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::1",
    "2002:c0a8:101::",
    "2001:0:808:808:0:0:f5ff:fffe",  # Teredo: a public server, the client 10.0.0.1
]
NEVER = [
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",  # RFC 6052 2.2, prefix of 48 bits
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe:0:0:f7f7:f7f7",  # Teredo: the server is the metadata address
    "2001:0:808:808:0:0:5601:5601",  # Teredo: the client is
    "not an address",
    "",
]


def refused(policy: NetworkPolicy, address: str, host: str = "site.example") -> bool:
    try:
        policy.check(address, host)
    except Refused as refusal:
        return refusal.reason == "network" and address in str(refusal)
    return False


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert not refused(NetworkPolicy(), address)


@pytest.mark.parametrize("address", INSIDE)
def test_inside_addresses_are_refused_unless_a_seed_is_there_or_their_network_is_allowed(address):
    assert refused(NetworkPolicy(), address)
    assert not refused(NetworkPolicy(["0.0.0.0/0", "::/0"]), address)
    if not address.startswith(("2001:0:", "64:ff9b:1:")):  # these carry two addresses
        assert not refused(NetworkPolicy(seeds={"site.example": [address]}), address)


@pytest.mark.parametrize("address", NEVER)
def test_link_local_metadata_and_multicast_are_refused_whatever_is_configured(address):
    seeds = {} if address in ("", "not an address") else {"site.example": [address]}
    assert refused(NetworkPolicy(["0.0.0.0/0", "::/0"], seeds), address)


@pytest.mark.parametrize(
    ("seed", "host", "address", "allowed"),
    [
        (("127.0.0.1", "127.0.0.1"), "127.0.0.1", "127.0.0.1", True),
        (("127.0.0.1", "127.0.0.1"), "127.0.0.1", "127.0.0.2", False),
        (("127.0.0.1", "127.0.0.1"), "localhost", "127.0.0.1", False),
        (("wiki.corp", "10.1.2.3"), "wiki.corp", "10.1.2.3", True),
        (("wiki.corp", "10.1.2.3"), "WIKI.corp.", "10.1.2.3", True),
        (("wiki.corp", "10.1.2.3"), "wiki.corp", "10.1.2.4", False),
        (("wiki.corp", "10.1.2.3"), "evil.example", "10.1.2.3", False),
        (("[::1]", "::1"), "::1", "::1", True),
        (("[::1]", "::1"), "[::1]", "0:0:0:0:0:0:0:1", True),
        (("wiki.corp", "10.1.2.3"), "wiki.corp", "::ffff:10.1.2.3", True),
    ],
)
def test_a_seed_allows_its_own_address_for_its_own_host_only(seed, host, address, allowed):
    policy = NetworkPolicy(seeds={seed[0]: [seed[1]]})
    assert refused(policy, address, host) is not allowed
    assert refused(policy, address, host) is not allowed  # the same when asked again


def test_an_allowed_network_allows_what_it_contains_and_no_more():
    policy = NetworkPolicy(["10.0.0.0/8", "fd12::/16"])
    assert not refused(policy, "10.9.9.9")
    assert not refused(policy, "::ffff:10.9.9.9")
    assert not refused(policy, "fd12::5")
    assert refused(policy, "192.168.0.1")
    assert refused(policy, "fd13::5")


def test_a_network_that_is_none_is_an_error_that_names_it():
    with pytest.raises(BadConfig, match=r"10\.0\.0\.0/99"):
        NetworkPolicy(["10.0.0.0/99"])


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "::1"),
        ("example.org", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_literal_addresses_are_told_from_names(host, address):
    assert literal_address(host) == address


async def test_only_admitted_addresses_are_handed_on():
    async def lookup(host):
        return ["10.0.0.1", "1.1.1.1", "169.254.169.254"]

    assert await admitted("site.example", NetworkPolicy(), lookup) == ["1.1.1.1"]
    allowing = NetworkPolicy(["10.0.0.0/8"])
    assert await admitted("site.example", allowing, lookup) == ["10.0.0.1", "1.1.1.1"]


async def test_a_name_with_none_but_refused_addresses_is_refused():
    async def lookup(host):
        return ["127.0.0.1", "::1"]

    with pytest.raises(Refused, match=r"site\.example is at 127\.0\.0\.1"):
        await admitted("site.example", NetworkPolicy(), lookup)


async def test_a_name_that_cannot_be_found_is_worth_another_attempt():
    async def nothing(host):
        return []

    async def no_answer(host):
        raise OSError(110, "timed out")

    with pytest.raises(RetryLater, match=r"no host named site\.example"):
        await admitted("site.example", NetworkPolicy(), nothing)
    with pytest.raises(RetryLater, match="timed out"):
        await admitted("site.example", NetworkPolicy(), no_answer)


async def test_a_seed_that_cannot_be_looked_up_is_allowed_where_it_is_first_found():
    answers = {"wiki.corp": ["127.0.0.1"]}

    async def lookup(host):
        if host not in answers:
            raise OSError(-3, "Temporary failure in name resolution")
        return answers[host]

    seeds = await inside_seeds(["http://wiki.corp/", "http://dead.corp/"], lookup)
    assert seeds == {"wiki.corp": ["127.0.0.1"], "dead.corp": None}
    policy = NetworkPolicy((), seeds)
    assert await admitted("wiki.corp", policy, lookup) == ["127.0.0.1"]
    with pytest.raises(RetryLater, match=r"dead\.corp could not be looked up"):
        await admitted("dead.corp", policy, lookup)
    answers["dead.corp"] = ["10.0.0.1"]
    assert await admitted("dead.corp", policy, lookup) == ["10.0.0.1"]
    answers["dead.corp"] = ["10.0.0.2"]
    with pytest.raises(Refused, match=r"10\.0\.0\.2"):
        await admitted("dead.corp", policy, lookup)


async def test_seeds_are_found_where_they_are_inside_and_left_out_where_they_are_public():
    known = {"wiki.corp": ["10.1.2.3", "1.1.1.1"], "meta.corp": ["169.254.169.254"]}

    async def lookup(host):
        return known.get(host, ["1.1.1.1"])

    urls = [
        "http://wiki.corp/a",
        "https://wiki.corp/b",
        "https://example.org/",
        "http://127.0.0.1:8000/",
        "http://[::1]/",
        "http://meta.corp/",
        "http://8.8.8.8/",
        "http://0.0.0.0:8000/",
        "http://[::]/",
    ]
    assert await inside_seeds(urls, lookup) == {
        "wiki.corp": ["10.1.2.3"],
        "127.0.0.1": ["127.0.0.1"],
        "[::1]": ["::1"],
        "0.0.0.0": ["0.0.0.0", "127.0.0.1"],  # where the system connects to for it
        "[::]": ["::", "::1"],
    }


async def test_the_system_finds_localhost_and_no_address_for_a_name_that_cannot_be():
    lookup = SystemLookup()
    assert "127.0.0.1" in await lookup("localhost")
    assert await lookup("a" * 64 + ".example") == []
    lookup.close()
