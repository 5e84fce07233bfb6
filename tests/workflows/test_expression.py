"""The language of conditions and templates: what it says, what it refuses, what it costs."""

from typing import Any

import pytest

from quaero.errors import BadExpression
from quaero.workflows.parser import DEEPEST, LONGEST, parse
from quaero.workflows.template import expressions, fill, unreadable

SCOPE: dict[str, Any] = {
    "parameters": {"depth": 3, "tags": ["docs", "wiki"], "name": "Ann", "none": None},
    "steps": {"collect": {"result": {"saved": 12, "a b": [1, 2]}, "status": "completed"}},
    "item": {"id": 7, "huge": 10**400},
}

VALUES = [
    ("1", 1), ("1.5", 1.5), ("2e3", 2000.0), ("-4", -4), ("'x'", "x"), ('"a\\"b\\n"', 'a"b\n'),
    ("true", True), ("null", None), ("[1, 'a', [true]]", [1, "a", [True]]), ("[]", []),
    ("parameters.depth", 3), ("steps.collect.result.saved", 12), ("item['id']", 7),
    ("steps.collect.result['a b'][1]", 2), ("steps.collect.result['a b'][-1]", 2),
    ("parameters[lower('NAME')]", "Ann"),
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 % 4 - 1", 2), ("6 / 4", 1.5), ("8 - 3 - 2", 3),
    ("'a' + 'b'", "ab"), ("[1] + [2]", [1, 2]), ("- 3 + 5", 2),
    ("1 < 2", True), ("'b' >= 'a'", True), ("2 == 2.0", True), ("1 == true", False),
    ("1 != '1'", True), ("'docs' in parameters.tags", True), ("'x' not in parameters.tags", True),
    ("true in [1]", False), ("1 not in [true, 0]", True), ("false in [0, false]", True),
    ("'nn' in parameters.name", True), ("[1] in parameters", False), ("1 in parameters", False),
    ("parameters in [1]", False), (" or ".join(["0"] * 190 + ["1"]), True), ("'depth' in parameters", True),
    ("not 0", True), ("not not 'x'", True), ("1 > 2 or 3 > 2", True), ("true and ''", False),
    ("false and nowhere.at.all", False), ("true or nowhere", True),
    ("default(parameters.other, 'x')", "x"), ("default(parameters.none, 4)", 4),
    ("default(parameters.depth, 4)", 3), ("exists(steps.other)", False),
    ("exists(steps.collect.result.saved)", True), ("len(parameters.tags)", 2), ("len('abc')", 3),
    ("lower('AB') + upper('c')", "abC"), ("join(parameters.tags, ', ')", "docs, wiki"),
    ("join([1, null], '-')", "1-null"), ("text([1])", "[1]"), ("round(2.6)", 3),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_an_expression_has_its_value(text: str, value: Any) -> None:
    found = parse(text).value(SCOPE)
    assert found == value
    assert type(found) is type(value)


WRONG = [
    ("", "a value is missing"), ("1 +", "a value is missing"), ("(1", r"'\)' is missing"),
    ("1 2", "'2' is not expected"), ("a.", "a name is missing"), ("a.1", "has no meaning|a name"),
    ("[1, 2", "',' is missing"), ("f(1)", "no function 'f'"), ("len(1, 2)", "takes 1 values"),
    ("1 = 2", "'=' has no meaning"), ("'abc", "has no meaning"), ("a and", "a value is missing"),
    ("and 1", "a value is expected before 'and'"), ("1 not 2", "'in' is expected"),
    ("x; y", "';' has no meaning"), ("__import__('os')", "no function '__import__'"),
    ("1" + "+1" * 999, "more than 200 signs or dots"), ("a" + ".b" * 999, "more than 200"),
    ("not " * 499 + "a", "more than 200"), ("a[0]" + "[0]" * 600, "more than 200"),
    ("1 < 2 < 3", "'<' is not expected"), ("x" * (LONGEST + 1), "is the most"),
    ("(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1), "nested deeper"),
    ("lambda: 1", "':' has no meaning"), ("a ** 2", "'\\*' is not expected"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadExpression, match=says):
        parse(text)


FAILING = [
    ("nothing", "there is no 'nothing' here; there are item, parameters, steps"),
    ("parameters.other", "parameters.other does not exist"),
    ("steps.collect.result['a b'][2]", r"\[2\] does not exist"),
    ("parameters.name.first", "no 'first' in the text 'Ann'"),
    ("1 < 'a'", "cannot be compared"), ("1 / 0", "cannot be calculated"), ("'a' * 3", "wants numbers"),
    ("1 in '12'", "only a text can be in the text '12', not the number 1"),
    ("1 in 2", "nothing can be in the number 2"), ("len(3)", "len wants"), ("lower(3)", "lower wants"),
    ("1e308 * 10", "too large"), ("999999999999 * 999999999999", "too large"), ("-'a'", "wants numbers"),
    ("true + 1", "wants numbers"), ("join('a', 'b')", "join wants a list"),
    ("round(1e300)", "too large"), ("item.huge / 1.5", "too large"),
    ("item.huge + 0.5", "too large"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), FAILING)
def test_what_cannot_be_worked_out_says_why(text: str, says: str) -> None:
    with pytest.raises(BadExpression, match=says):
        parse(text).value(SCOPE)


@pytest.mark.parametrize("text", ["1e400", "9" * 400, "1 / 9999999999999999999"])
def test_a_number_that_is_too_large_to_calculate_with_is_not_read(text: str) -> None:
    with pytest.raises(BadExpression, match="the number is too large"):
        parse(text)


def test_a_path_that_leads_nowhere_is_told_from_other_mistakes() -> None:
    with pytest.raises(BadExpression) as told:
        parse("steps.other.result").value(SCOPE)
    assert told.value.missing
    with pytest.raises(BadExpression) as told:
        parse("default(1 / 0, 2)").value(SCOPE)
    assert not told.value.missing


def test_an_expression_says_what_it_reads() -> None:
    text = "steps.a.result.n > len(parameters['x']) and item in steps[name].results"
    assert set(parse(text).paths()) == {
        ("steps", "a", "result", "n"), ("parameters", "x"), ("item",), ("steps",), ("name",),
    }  # fmt: skip


FILLED = [
    ("plain", "plain"), ("{{ parameters.depth }}", 3), ("{{parameters.tags}}", ["docs", "wiki"]),
    ("n = {{ parameters.depth }}!", "n = 3!"), ("{{ 1 }}{{ 2 }}", "12"),
    ("{{ '}}' }}", "}}"), ("{ {x} }", "{ {x} }"), ("tags: {{ parameters.tags }}", 'tags: ["docs","wiki"]'),
    ({"a": ["{{ item.id }}", 5]}, {"a": [7, 5]}), ({"{{ item.id }}": 1}, {"{{ item.id }}": 1}),
    ("", ""), (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("template", "value"), FILLED)
def test_templates_are_filled_in(template: Any, value: Any) -> None:
    assert fill(template, SCOPE) == value


@pytest.mark.parametrize(
    "template", [["{{ long }}"] * 100, "{{ long }} " * 100, {"a": "{{ all }}"}]
)
def test_a_short_text_that_names_a_long_one_many_times_is_not_filled_in(template: Any) -> None:
    long = "x" * 400_000
    with pytest.raises(BadExpression, match="longer than 32000000 characters"):
        fill(template, {"long": long, "all": [long] * 100})


def test_what_is_filled_in_is_never_read_as_a_template() -> None:
    assert fill("{{ item }}", {"item": "{{ secret }}"}) == "{{ secret }}"


def test_a_template_that_cannot_be_read_is_told_with_its_place() -> None:
    value = {"a": ["x", "{{ 1 + }}", "{{ item }}"], "b": "{{ open"}
    assert [place for place, _ in unreadable(value)] == [("a", 1), ("b",)]
    assert [place for place, _ in expressions(value)] == [("a", 2)]
    with pytest.raises(BadExpression, match="without }}"):
        fill("{{ open", SCOPE)
    with pytest.raises(
        BadExpression, match=r"parameters\.zip.* cannot be filled in: parameters\.zip"
    ):
        fill("{{ parameters.zip }}", SCOPE)
