"""The tree of errors is whole: one module, one drawing, one slug, exit code and status each."""

import importlib
import inspect
import pkgutil
import re

import pytest

import quaero
from quaero import errors
from quaero.errors import QuaeroError

ERRORS = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, QuaeroError)
]


def everywhere() -> set[type[QuaeroError]]:
    """All errors of the package, wherever they are made."""
    for module in pkgutil.walk_packages(quaero.__path__, "quaero."):
        if module.name != "quaero.__main__":
            importlib.import_module(module.name)
    found, waiting = set(), [QuaeroError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("quaero."):
            found.add(kind)
    return found


def test_every_error_of_quaeros_own_is_in_the_tree() -> None:
    assert everywhere() == set(ERRORS)


def test_the_drawing_shows_every_error_where_it_is() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([│ ├└─]*)(\w+)(?:  |$)", line):
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            drawn[match[2]] = above[depth - 1] if depth else ""
    assert drawn == {
        each.__name__: "" if each is QuaeroError else each.__bases__[0].__name__ for each in ERRORS
    }


def test_no_two_errors_have_one_slug() -> None:
    slugs = [each.slug for each in ERRORS]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_has_a_slug_an_exit_code_a_status_and_a_meaning(error: type[QuaeroError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.slug)
    assert 1 <= error.exit_code <= 5
    assert 400 <= error.status <= 599
    assert (error.__doc__ or "").strip()
