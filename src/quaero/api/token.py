"""The token that visitors show where others can reach the server.

32 random bytes in a file that only its owner may read; whoever can read that file may enter.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from quaero.errors import BadConfig

BYTES = 32


def read_token(path: Path) -> str:
    """The token in the file, which is made where there is none.

    Raises `BadConfig` where others may read the file, or it holds no token.
    """
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as made:
            made.write(secrets.token_urlsafe(BYTES) + "\n")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadConfig(f"others may read {path}; `chmod 600 {path}`, or remove it for a new one")
    token = path.read_text("utf-8").strip()
    if len(token) < BYTES:
        raise BadConfig(f"{path} holds no token; remove it, and a new one is made")
    return token
