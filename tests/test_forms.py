"""The forms of texts, and what is said of others."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from quaero import forms


def wrong(pattern: str, text: str) -> str:
    """What is said of a text, or nothing."""

    class Model(BaseModel):
        text: Annotated[str, Field(pattern=pattern)]

    try:
        Model(text=text)
    except ValidationError as error:
        return forms.said(error.errors()[0])
    return ""


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (forms.ONE_LINE, " a b ", ["", "  ", "a\nb", "\x00"]), (forms.TEXT, "a\n\tb", ["\x00", "\x7f"]),
        (forms.FILLED, " x ", ["", " \n"]), (forms.LINE, "", ["a\nb"]),
        (forms.WITHOUT_NUL, "a\nb", ["\x00"]), (forms.TAG, "a b", ["a,b", "a\tb", ""]),
        (forms.ABSOLUTE, "/x", ["x", ""]), (forms.VISIBLE, "a-1", ["a b", "", "ä"]),
        (forms.SOURCE_NAME, "a-1_b", ["A", "1", "", "a b", "a" * 61]),
        (forms.DEFINITION_ID, "1a-b_c", ["A", "-a", "a" * 65]),
        (forms.WORD, "a_1", ["a-1", "1", "a" * 41]), (forms.ACTION, "a_1", ["a-1", "a" * 61]),
        (forms.ENTITY_TYPE, "a-1_b", ["A", "1", "a" * 41]),
        (forms.PARENT, "12", ["0", "any ", "x", "1" * 19]),
    ],
)  # fmt: skip
def test_a_text_of_another_form_is_refused_in_a_sentence(
    pattern: str, good: str, bad: list[str]
) -> None:
    assert wrong(pattern, good) == ""
    assert {wrong(pattern, each) for each in bad} == {forms.SENTENCES[pattern]}


def test_every_form_has_its_sentence() -> None:
    named = [value for name, value in vars(forms).items() if name.isupper() and name[0] != "_"]
    assert {each for each in named if isinstance(each, str)} == set(forms.SENTENCES)


def test_other_errors_keep_their_own_words() -> None:
    class Model(BaseModel, extra="forbid"):
        n: int
        m: int

    with pytest.raises(ValidationError) as caught:
        Model(n="x", o=1)
    whole, missing, unknown = (forms.said(each) for each in caught.value.errors())
    assert whole.startswith("Input should be a valid integer")
    assert missing == "it is missing; add it"
    assert unknown == "it is not known here; is it misspelt?"
