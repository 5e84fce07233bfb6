"""File names for documents: from the address, readable, safe on every file system.

The name depends on source and address alone. Two documents never share one, also where case is
ignored and whatever Unicode form the file system prefers: as soon as anything of the address was
changed or left out, a hash of it is part of the name. Names have no `..`, no separators inside a
part, no control characters, nothing Windows reserves, and are at most 200 characters long.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import unquote, urlsplit

SUFFIX = ".md"
_LONGEST_PART = 60
_LONGEST_FOLDERS = 100
_ORDINARY = re.compile(r"[a-z0-9_~](?:[a-z0-9_~.-]*[a-z0-9_~-])?")
_HASHED = re.compile(r"-[0-9a-f]{12}$")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\.|$)")
_SOURCE = "source-"


def file_name(source: str, url: str) -> str:
    """The relative path of a document's file, with `/` between its parts.

    `https://docs.example.org/guide/intro` is `docs.example.org/guide/intro.md`, and an address that
    ends in `/` an `index.md`; documents of a source lie in a folder `source-NAME`. `source` is
    empty for a document of none.
    """
    parts, exact = _parts(url)
    safe = [_safe(part) for part in parts]
    folders, last = safe[:-1], safe[-1]
    exact = exact and safe == parts and not _HASHED.search(last)
    while len("/".join(folders)) > _LONGEST_FOLDERS:
        folders.pop()
        exact = False
    apart = [f"{name}_" if name.endswith(SUFFIX) else name for name in folders]
    exact = exact and apart == folders
    if source:
        name = _safe(_SOURCE + source)
        apart.insert(0, name)
        exact = exact and name == _SOURCE + source
    if not exact:
        last = f"{last.rstrip('.')}-{_hash(source, url)}"
    return "/".join([*apart, last + SUFFIX])


def _parts(url: str) -> tuple[list[str], bool]:
    """Host, folders and name of an address, and whether they say all of it."""
    try:
        address = urlsplit(url)
    except ValueError:
        return [url], False
    host = address.netloc.rpartition("@")[2]
    path = address.path.removeprefix("/").split("/")
    exact = address.scheme == "https" and address.netloc == host and path[-1] != "index"
    exact = exact and not address.query and not address.fragment and bool(host)
    exact = exact and address.path.startswith("/") and not host.startswith(_SOURCE)
    if address.query:
        path[-1] = f"{path[-1] or 'index'} {address.query}"
    path[-1] = path[-1] or "index"
    return [host or "local", *path], exact


def _safe(part: str) -> str:
    """A part as a name: itself where it is ordinary, else the nearest that is."""
    if len(part) <= _LONGEST_PART and _ORDINARY.fullmatch(part) and not _RESERVED.match(part):
        return part
    text = unicodedata.normalize("NFC", unquote(part)).casefold()
    text = "".join(sign if sign.isalnum() or sign in "-_.~" else "_" for sign in text)
    text = unicodedata.normalize("NFC", text).encode()[:_LONGEST_PART].decode("utf-8", "ignore")
    text = text.strip("._- ") or "_"
    return f"_{text}" if _RESERVED.match(text) else text


def _hash(source: str, url: str) -> str:
    data = f"{source} {url}".encode("utf-8", "replace")
    return hashlib.blake2b(data, digest_size=6).hexdigest()
