"""Standard input, output and error where whoever started this program has closed them.

A file that is opened gets the lowest free number. Where one of the first three is free, what is
meant for the screen would be written into that file, the database perhaps; so they lead nowhere
before anything else is opened.
"""

from __future__ import annotations

import os
import sys

_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def typed_in(most: int = -1) -> str:
    """The text of standard input, of at most so many characters. Raises `BadInput`."""
    from quaero.errors import BadInput

    try:
        text = sys.stdin.read(most)
        text.encode()  # in some locales bytes that are no text are read as halves of characters
    except UnicodeError as error:
        raise BadInput("standard input is no text in UTF-8; convert it, then try again") from error
    return text


def fill_closed() -> None:
    """Let what is closed of the three lead nowhere, for this process and those it starts."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened < len(_STANDARD):
        os.set_inheritable(opened, True)
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
    for number, (name, mode) in enumerate(_STANDARD):
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
