"""Addresses: one spelling for each page, and the keys that are derived from it.

`canonical` turns what a person or a page wrote into the one form under which Quaero stores,
compares and fetches an address; everything else in the crawler expects that form. Parsing is
ada-url's, which follows the WHATWG URL standard; on top of it come the rules of a crawler: only
http and https, no fragment, no credentials, no tracking parameters, no session ids.

Whether an address *may* be fetched is decided elsewhere: by the crawl's scope and by the
network policy.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from hashlib import blake2b

import ada_url
from publicsuffixlist import PublicSuffixList

from quaero.errors import BadUrl

MAX_BYTES = 8192
"""The longest address that is accepted, in bytes, before and after canonicalisation."""

_WHITESPACE = " \t\n\r\f"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WRAPPING = str.maketrans("", "", "\t\n\r")
_CREDENTIALS = re.compile(r"(?<=[/\\]{2})[^/\\?#]*@")
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)

# Only whole escapes are touched: in `%%37e` decoding `%37` would make a new escape.
_ESCAPE = re.compile(r"(?<!%)(?<!%[0-9A-Fa-f])%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_TRACKING = (
    r"utm_[^=&]*|mtm_[^=&]*|_ga|_gl|_gac_[^=&]*|gclid|gclsrc|dclid|gbraid|wbraid|srsltid"
    r"|fbclid|msclkid|yclid|ysclid|twclid|ttclid|igshid|li_fat_id|epik|mc_cid|mc_eid|mkt_tok"
    r"|_hsenc|_hsmi|__hssc|__hstc|__hsfp|hsctatracking|vero_id|oly_anon_id|oly_enc_id|_openstat"
    r"|pk_campaign|pk_kwd|pk_source|pk_medium|pk_content|pk_cid"
)
_SESSION = r"jsessionid|phpsessid|aspsessionid[a-z]*|cfid|cftoken|oscsid|zenid"
# `sid` is a session id only when its value looks like one: some sites number their articles so.
_DROPPED = re.compile(
    rf"(?:^|&)(?:(?:{_TRACKING}|{_SESSION})(?:=[^&]*)?|sid=[0-9a-z]{{16,}})(?=&|$)", re.IGNORECASE
)
_PATH_SESSION = re.compile(rf";(?:{_SESSION}|sid)=[^/;]*", re.IGNORECASE)


def canonical(url: str, base: str | None = None) -> str:
    """Return the canonical form of `url`, resolved against `base` where one is given.

    The result is ASCII, begins with `http://` or `https://`, has a path, and is its own
    canonical form. Blanks around `url` are ignored, as in HTML; in a link, which has a `base`, so
    are tabs and line breaks within. Host and default port, dot segments and non-ASCII characters
    are handled by the WHATWG URL standard; escapes of unreserved characters are decoded and the
    others written in upper case (RFC 3986, 6.2.2); the dot that ends a host, an empty query, the
    fragment, tracking parameters and session ids are dropped. The order of the query is kept.

    Raises BadUrl for another scheme, credentials in the address, control characters, more than
    `MAX_BYTES`, and whatever the standard calls invalid.
    """
    url = url.strip(_WHITESPACE)
    if len(url) > MAX_BYTES:
        raise _too_long(url)
    if not url.isprintable():
        url = url if base is None else url.translate(_WRAPPING)
        if _CONTROL.search(url):
            raise BadUrl(f"The address {_shown(url)} contains a control character. Remove it.")
    href = _resolved(url, base).partition("#")[0]
    slash = href.find("/", 8)  # the path begins at the first slash after "http(s)://" and a letter
    if not href.startswith(("https://", "http://")):
        raise BadUrl(f"The address {_shown(url)} is neither http nor https, which alone are read.")
    authority = href[:slash]
    if "@" in authority:
        raise BadUrl(
            f"The address {_shown(url)} has a user name or password in it. "
            "Leave it out and store a credential for the site."
        )
    if len(href) > MAX_BYTES:
        raise _too_long(url)
    if authority.endswith(".") or ".:" in authority:
        return canonical(_without_final_dots(authority) + href[slash:])
    return _without_noise(href)


def _resolved(url: str, base: str | None) -> str:
    try:
        return ada_url.normalize_url(url) if base is None else ada_url.join_url(base, url)
    except ValueError:
        raise BadUrl(_why_invalid(url, base)) from None


def _without_noise(href: str) -> str:
    """Drop what does not tell pages apart from a parsed address without fragment."""
    href = with_plain_escapes(href)
    path, mark, query = href.partition("?")
    if mark:
        if _DROPPED.search(query):
            query = _DROPPED.sub("", query).lstrip("&")
        href = f"{path}?{query}" if query else path
    if ";" in path:
        shorter = _PATH_SESSION.sub("", path)
        if shorter != path:  # may have uncovered a dot segment: "/a/..;sid=1/b"
            return canonical(shorter + href[len(path) :])
    return href


def with_plain_escapes(text: str) -> str:
    """Decode the percent-escapes of unreserved characters and write the others in upper case.

    This is the normalisation of RFC 3986, 6.2.2.1 and 6.2.2.2; doing it twice changes nothing.
    """
    return _ESCAPE.sub(_plain, text) if "%" in text else text


def _plain(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _without_final_dots(authority: str) -> str:
    scheme, _, host = authority.partition("://")
    name, colon, port = host.partition(":")
    return f"{scheme}://{name.rstrip('.')}{colon}{port}"


def without_credentials(text: str) -> str:
    """Return any address or link, valid or not, with what precedes its host's `@` left out."""
    return _CREDENTIALS.sub("…@", text)


def _shown(url: str) -> str:
    """Return `url` for a message: escaped, without credentials, not longer than a line or two."""
    url = without_credentials(url)
    return repr(url if len(url) <= 200 else url[:200] + "…")


def _too_long(url: str) -> BadUrl:
    return BadUrl(f"The address {_shown(url)} is longer than {MAX_BYTES} bytes. Use a shorter one.")


def _why_invalid(url: str, base: str | None) -> str:
    if base is not None and not ada_url.check_url(base):
        return f"The base address {_shown(base)} is not valid. Give one like https://example.org/."
    if base is None and not _OTHER_SCHEME.match(url) and "//" not in url:
        return (
            f"The address {_shown(url)} has no scheme. Write {_shown('https://' + url.lstrip('/'))}"
        )
    return f"The address {_shown(url)} is not valid. Check its host and port."


def has_other_scheme(href: str) -> bool:
    """Tell whether `href` names a scheme, and one that is not http or https (mailto:, say)."""
    return _OTHER_SCHEME.match(href) is not None


def without_scheme(url: str) -> str:
    """Return what follows `http://` or `https://` in a canonical address."""
    return url[8:] if url.startswith("https") else url[7:]


def host_key(url: str) -> str:
    """Return the host of a canonical address, with its port unless that is its scheme's default.

    The key is the same for http and https; lanes, robots.txt and the scope `host` go by it.
    """
    return without_scheme(url).partition("/")[0]


@lru_cache(maxsize=4096)
def site(host: str) -> str:
    """Return the registrable domain of a host, by the public suffix list (publicsuffix.org).

    `host` is a canonical host or a `host_key`; the port is ignored. An address, a single label
    such as `localhost`, and a public suffix itself are their own sites.
    """
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    name = host.partition(":")[0]
    if name.rpartition(".")[2].isdigit():  # only IPv4 addresses end in a number (WHATWG, 3.5)
        return name
    domain: str | None = _public_suffixes().privatesuffix(name)
    return domain or name


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def url_hash(url: str) -> bytes:
    """Return the 16 bytes under which a crawl remembers a canonical address (BLAKE2b)."""
    return blake2b(url.encode(), digest_size=16).digest()
