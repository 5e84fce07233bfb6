"""Definitions that the program writes say what they must, and keep what people wrote about them."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quaero.errors import BadInput
from quaero.workflows.text import value_of
from quaero.workflows.writing import converted, with_key, write

TEXT = '''\
# The docs, once a night.
id = "docs" # for ever

[schedule]
cron = "0 2 * * *" # at night

# First the pages.
[[steps]]
name = "collect" # all of them
action = "crawler"

[steps.config]
seeds = ["https://docs.test/"] # our own

# Then the words.
[[steps]]
name = "tell"
action = "say"
config = { text = """
[[done]]
""" }
'''


def test_a_text_that_says_it_already_stays_as_it_is() -> None:
    assert write(tomllib.loads(TEXT), "toml", TEXT) == TEXT


def test_comments_stay_with_what_stays() -> None:
    value = tomllib.loads(TEXT)
    value["steps"].insert(0, {"name": "first", "action": "say"})
    value["steps"][1]["config"]["seeds"].append("https://wiki.test/")
    del value["schedule"]
    made = write(value, "toml", TEXT)
    assert tomllib.loads(made) == value
    for kept in ("once a night", "for ever", "all of them", "Then the words"):
        assert kept in made
    assert "at night" not in made


def test_a_table_begins_after_a_blank_line() -> None:
    value = tomllib.loads(TEXT)
    value["steps"].append({"name": "last", "action": "say", "config": {"text": "a\n[b]\nc\n"}})
    made = write(value, "toml", TEXT)
    assert made.endswith('[steps.config]\ntext = """a\n[b]\nc\n"""\n')
    assert '\n\n[[steps]]\nname = "last"' in made


def test_one_key_is_changed_in_each_format() -> None:
    assert with_key('id = "a"\n', "toml", "enabled", False) == 'id = "a"\nenabled = false\n'
    assert value_of(with_key('{"id": "a"}', "json", "enabled", False), "json") == {
        "id": "a",
        "enabled": False,
    }


def test_all_but_the_key_that_is_changed_stays_as_it_was() -> None:
    text = '# mine\r\nid = "a\u2028b"\r\nday = 2026-03-02 # a date\r\nx = """\r\ny"""\r\n'
    assert with_key(text, "toml", "enabled", False) == text + "enabled = false\r\n"


def test_dates_are_texts_in_json() -> None:
    made = converted('id = "a"\nday = 2026-03-02\nat = [07:30:00]\n', "toml", "json")
    assert value_of(made, "json") == {"id": "a", "day": "2026-03-02", "at": ["07:30:00"]}


def test_what_toml_cannot_say_is_refused() -> None:
    assert write({"id": "a", "sources": None}, "toml") == 'id = "a"\n'
    with pytest.raises(BadInput, match="null stands in a list"):
        write({"id": "a", "tags": [None]}, "toml")
    with pytest.raises(BadInput, match="the text is no TOML"):
        converted("id =", "toml", "json")


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_PLAIN = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), _TEXTS)
_VALUES: Any = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=12,
)
_WHOLE = st.dictionaries(_TEXTS, _VALUES, max_size=5)


@settings(max_examples=150, deadline=None)
@given(_WHOLE, _WHOLE)
def test_any_value_is_written_so_that_it_is_read_again(before: Any, value: Any) -> None:
    fresh = write(before, "toml")
    assert value_of(fresh, "toml") == before
    assert value_of(write(value, "toml", fresh), "toml") == value
    assert value_of(write(value, "json", fresh), "json") == value
