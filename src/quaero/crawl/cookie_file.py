"""Logins as the command line takes them: `--cookie-file cookies.txt` and `--header "Name: value"`.

The file is in the Netscape format, which curl, wget and browser extensions write: a line a cookie,
seven fields divided by tabs. Errors name the file, the line and the field, never a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from quaero.clock import LAST_SECOND, SECOND
from quaero.crawl.cookies import Cookie, is_cookie_name, is_cookie_value, is_public_suffix
from quaero.crawl.headers import check_header
from quaero.crawl.policy import literal_address
from quaero.errors import BadInput

_LARGEST_FILE = 5 * 1024 * 1024
_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"TRUE": True, "FALSE": False}


def read_cookie_file(path: Path) -> list[Cookie]:
    """The cookies of a file, expired ones included; raises `BadInput` if it cannot be used."""
    return parse_cookies(_text(path), str(path))[0]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInput(f"{path}: larger than 5 MiB, so hardly a cookie file")
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text file in UTF-8") from None


def parse_cookies(
    content: str, where: str, wanted: Callable[[str], bool] = lambda _: True
) -> tuple[list[Cookie], int]:
    """The cookies of such a text for the domains that are `wanted`, and how many are for others.

    Errors call the text `where`. Of lines for others only the form is looked at. Raises `BadInput`
    as above.
    """
    content = content.removeprefix("\ufeff")  # the mark that Windows puts before UTF-8
    if content.lstrip()[:1] in ("[", "{"):
        raise BadInput(f"{where}: this is JSON; export the cookies in the Netscape format instead")
    cookies, others = [], 0
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip() or (line.startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        fields = _fields(line, f"{where}:{number}")
        if wanted(fields[0]):
            http_only = line.startswith(_HTTP_ONLY)
            cookies.append(_cookie(fields, f"{where}:{number}", http_only=http_only))
        else:
            others += 1
    if not cookies and not others:
        raise BadInput(f"{where}: there is no cookie in this file")
    return cookies, others


def parse_headers(given: Iterable[str]) -> dict[str, str]:
    """The headers of all `--header` options; raises `BadInput` for one that cannot be sent."""
    headers: dict[str, str] = {}
    for text in given:
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip(" \t")
        if not colon or not value:
            raise BadInput('--header: write it as "Name: value"')
        try:
            check_header(name, value)
        except BadInput as error:
            raise BadInput(f"--header: {error}") from None
        if name.lower() in map(str.lower, headers):
            raise BadInput(f"--header: {name} is given twice")
        headers[name] = value
    return headers


def _fields(line: str, where: str) -> list[str]:
    fields = line.removeprefix(_HTTP_ONLY).rstrip("\r\n").split("\t")
    if len(fields) == 6:
        fields.append("")
    if len(fields) != 7:
        raise BadInput(f"{where}: {len(fields)} fields divided by tabs instead of 7")
    return fields


def _cookie(fields: list[str], where: str, *, http_only: bool) -> Cookie:
    domain, below, path, secure, expires, name, value = fields
    host = domain.strip().removeprefix(".").lower()
    has_none_below = "." not in host or literal_address(host) is not None
    host_only = not _flag(below, "second", where) or has_none_below
    if not host:
        raise BadInput(f"{where}: the first field, the domain, is empty")
    if not host_only and is_public_suffix(host):
        raise BadInput(f"{where}: a cookie for all of {host} would go to unrelated sites")
    if not path.startswith("/"):
        raise BadInput(f"{where}: the third field, the path, does not begin with /")
    if not is_cookie_name(name):
        raise BadInput(f"{where}: the sixth field is not a cookie name")
    if not is_cookie_value(value):
        raise BadInput(f"{where}: the value has a character that a cookie cannot have")
    return Cookie(
        name=name,
        value=value,
        domain=host,
        host_only=host_only,
        path=path,
        secure=_flag(secure, "fourth", where),
        expires=_expiry(expires, where),
        http_only=http_only,
    )


def _flag(text: str, which: str, where: str) -> bool:
    flag = _FLAGS.get(text.strip().upper())
    if flag is None:
        raise BadInput(f"{where}: the {which} field is neither TRUE nor FALSE")
    return flag


def _expiry(text: str, where: str) -> int | None:
    """Seconds since 1970 as the file has them, with or without fraction; 0 and -1: the session."""
    try:
        seconds = float(text or "0")
        return min(int(seconds * SECOND), LAST_SECOND * SECOND) if seconds > 0 else None
    except (ValueError, OverflowError):
        raise BadInput(f"{where}: the fifth field is not a time in seconds since 1970") from None
