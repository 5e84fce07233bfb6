"""What is wrong with a definition is told with its line, its field and what to do."""

import json
import re
import tomllib
from typing import Any

import pytest

from quaero.crawl.kinds import PAGE
from quaero.crawl.payloads import Crawl
from quaero.errors import BadInput
from quaero.upkeep.cleanup import Cleanup
from quaero.work.registry import JobType
from quaero.workflows.definition import Definition, in_order
from quaero.workflows.text import check, json_lines, toml_lines, written

ACTIONS = {"say": None, "crawler": None, "workflow": None}

GOOD = '''
id = "docs"
name = "The docs"
tags = ["weekly", "docs"]
timeout = "2h"

[parameters.depth]
type = "integer"
default = 3

[schedule]
cron = "30 2 * * 1-5"
timezone = "Europe/Berlin"

[[steps]]
name = "collect"
action = "crawler"
on_error = "retry"
retries = 3
backoff = "1m"

[steps.config]
seeds = ["https://docs.test/"]
max_depth = "{{ parameters.depth }}"

[[steps]]
name = "tell"
action = "say"
depends_on = ["collect"]
condition = "steps.collect.result.saved > 0"
config = { text = """
saved {{ steps.collect.result.saved }}
""" }
'''


def test_a_good_definition_is_understood_in_toml_and_json() -> None:
    checked = check(GOOD, "toml", ACTIONS)
    assert checked.faults == []
    definition = checked.definition
    assert definition is not None
    assert definition.timeout == 7_200.0
    assert definition.steps[0].backoff == 60.0
    text = json.dumps(tomllib.loads(GOOD))
    assert check(text, "json", ACTIONS).definition == definition
    assert check(written(definition), "json", ACTIONS).definition == definition


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


FAULTS = [
    ('id = "docs"', 'id = "Docs!"', 2, "id", "letters, digits, - and _"),
    ('id = "docs"\n', "", None, "id", "it is missing"),
    ('name = "The docs"', 'nam = "The docs"', 3, "nam", "not known"),
    ('timeout = "2h"', 'timeout = "2 hours"', 5, "timeout", "whole number followed by"),
    ('timeout = "2h"', "timeout = 0", 5, "timeout", "greater than 0"),
    ("default = 3", 'default = "three"', 7, "parameters.depth", "is no integer"),
    ("default = 3", 'choices = ["a"]', 7, "parameters.depth", "choices: 'a' is no integer"),
    ('type = "integer"', 'type = "int"', 8, "parameters.depth.type", "'integer'"),
    ('"30 2 * * 1-5"', '"30 25 * * *"', 12, "schedule.cron", "the hour '25' is not possible; allowed are 0 to 23"),
    ('"30 2 * * 1-5"', '"0 22-2 * * *"', 12, "schedule.cron", "the hour '22-2' is not possible"),
    ('"30 2 * * 1-5"', '"0 0 * * fri-mon"', 12, "schedule.cron", "the day of week 'fri-mon'"),
    ('"30 2 * * 1-5"', '"@daily"', 12, "schedule.cron", "write `0 0 * * *`"),
    ('"30 2 * * 1-5"', '"@reboot"', 12, "schedule.cron", "five fields"),
    ('"30 2 * * 1-5"', '"30 2 * *"', 12, "schedule.cron", "five fields"),
    ('"30 2 * * 1-5"', '"0 0 31 2 *"', 12, "schedule.cron", "as far as the month goes"),
    ('"Europe/Berlin"', '"UTC"\nmissed = "all"', 11, "schedule", 'overlap is "wait" or'),
    ('"Europe/Berlin"', '"Europe/Berlim"', 13, "schedule.timezone", "no time zone"),
    ('action = "crawler"', 'action = "crawl"', 17, "steps[0].action", "no job type 'crawl'"),
    ('on_error = "retry"', 'on_error = "again"', 18, "steps[0].on_error", "'retry'"),
    ('on_error = "retry"', 'on_error = "fail"', 15, "steps[0]", "go with on_error"),
    ("retries = 3", "retries = 0", 19, "steps[0].retries", "greater than or equal to 1"),
    ("parameters.depth }}", "parameters.dept }}", 24, "steps[0].config.max_depth", "no parameter 'dept'"),
    ("parameters.depth }}", "parameters.depth +}}", 24, "steps[0].config.max_depth", "cannot be read"),
    ("parameters.depth }}", "item }}", 24, "steps[0].config.max_depth", "with for_each only"),
    ("parameters.depth }}", "steps.tell.result }}", 24, "steps[0].config.max_depth", "depends_on"),
    ('name = "tell"', 'name = "collect"', 27, "steps[1].name", "two steps are named 'collect'"),
    ('name = "tell"', 'name = "Tell"', 27, "steps[1].name", "letters, digits and _"),
    ('depends_on = ["collect"]', 'depends_on = ["other"]', 29, "steps[1].depends_on[0]", "no step 'other'"),
    ('depends_on = ["collect"]', 'depends_on = ["tell"]', 29, "steps[1].depends_on[0]", "on itself"),
    ('depends_on = ["collect"]', "", 30, "steps[1].condition", "add it to depends_on"),
    ("collect.result.saved > 0", "collect.results.saved >", 30, "steps[1].condition", "cannot be read"),
    ("steps.collect.result.saved > 0", "steps.colect.status", 30, "steps[1].condition", "no step 'colect'"),
    ("steps.collect.result.saved > 0", "steps.collect.outcome", 30, "steps[1].condition", "has no 'outcome'"),
    ("steps.collect.result.saved > 0", "exists(steps[run.name].result)", 30, "steps[1].condition",
     "which step is read has to stand there"),
    ("steps.collect.result.saved > 0", "stepz", 30, "steps[1].condition", "no 'stepz' here"),
    ("retries = 3", "retries = 3\nmax_parallel = 2", 15, "steps[0]", "goes with for_each"),
    ("retries = 3", "retries = 3\nfor_each = {}", 20, "steps[0].for_each", "documents or for sources"),
    ("retries = 3", "retries = 3\nfor_each = 'a b'", 20, "steps[0].for_each", "not expected"),
    ("[[steps]]\nname = \"tell\"", "x = [\n1,\n]]\n[[steps]]\nname = \"tell\"", 28, "", ""),
    ('timeout = "2h"', 'timeout = "2h', 5, "", ""),
    ('name = "The docs"', 'name = "a\\u0000b"', 3, "name", "one line of text"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "field", "says"), FAULTS)
def test_what_is_wrong_is_told_with_line_and_field(
    old: str, new: str, line: int | None, field: str, says: str
) -> None:
    checked = check(changed(old, new), "toml", ACTIONS)
    assert checked.definition is None
    told = [(fault.line, fault.field) for fault in checked.faults]
    assert (line, field) in told, told
    texts = " | ".join(fault.text for fault in checked.faults)
    assert any(each in texts for each in says.split("|")), texts


PAYLOADS = {
    "crawler": JobType("crawler", Crawl), "cleanup": JobType("cleanup", Cleanup),
    "workflow": None, "workflow_step": None,
}  # fmt: skip
SEED = "https://docs.test/"
T = "{{ parameters.a }}"
CONFIGS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("cleanup", {}, {}),
    ("cleanup", {"age_threshold_days": 3, "dry_run": True}, {}),
    ("cleanup", {"age_threshold_day": 3}, {".age_threshold_day": "is 'age_threshold_days' meant"}),
    ("cleanup", {"x": 3}, {".x": "there are age_threshold_days, dry_run, status_filter"}),
    ("cleanup", {"dry_run": "maybe"}, {".dry_run": "valid boolean.*it is 'maybe'"}),
    ("cleanup", {"status_filter": "old"}, {".status_filter": "'completed', 'failed'"}),
    ("cleanup", {"age_threshold_days": T}, {}),
    ("cleanup", {"dry_run": T, "age_threshold_days": -1}, {".age_threshold_days": "or equal to 0"}),
    ("cleanup", {"age_threshold_day": T}, {".age_threshold_day": "no such field"}),
    ("crawler", {}, {".seeds": "it is missing; add it"}),
    ("crawler", {"seeds": T}, {}),
    ("crawler", {"seeds": [T], "source_type": T}, {}),
    ("crawler", {"seeds": [T, 5]}, {".seeds[1]": "valid string"}),
    ("crawler", {"seeds": ["docs"]}, {".seeds[0]": "Write 'https://docs'"}),
    ("crawler", {"seeds": [SEED], "private": "a", "credential": 2}, {"": "give only one"}),
    ("crawler", {"seeds": [SEED], "private": T, "credential": 2}, {}),
    ("crawler", {"seeds": [SEED], "max_pages": "many"}, {".max_pages": "valid integer"}),
    ("workflow", {"definition": "y", "parameters": {"b": T}}, {}),
    ("workflow", {"definition": "y", "parameters": T}, {}),
    ("workflow", {}, {".definition": "it is missing"}),
    ("workflow", {"definition": 5}, {".definition": "the id of a definition, not 5"}),
    ("workflow", {"definition": T}, {".definition": "cannot be a template"}),
    ("workflow", {"definition": "y", "parameter": 1}, {".parameter": "is 'parameters' meant"}),
    ("workflow", {"definition": "y", "parameters": [1]}, {".parameters": "an object of names"}),
]


@pytest.mark.parametrize(("action", "config", "wrong"), CONFIGS)
def test_a_config_that_its_job_type_would_refuse_is_told(
    action: str, config: dict[str, Any], wrong: dict[str, str]
) -> None:
    step = {"name": "a", "action": action, "config": config}
    text = json.dumps({"id": "x", "parameters": {"a": {}}, "steps": [step]})
    found = {fault.field.removeprefix("steps[0].config"): fault.text for fault in
             check(text, "json", PAYLOADS).faults}  # fmt: skip
    assert found.keys() == wrong.keys()
    for field, says in wrong.items():
        assert re.search(says, found[field]), found[field]


def test_what_is_wrong_in_a_config_is_told_with_its_line() -> None:
    text = changed("max_depth =", 'scopes = "host"\nmax_pages = "many"\nmax_depth =')
    faults = check(text, "toml", {**ACTIONS, "crawler": PAYLOADS["crawler"]}).faults
    fields = [(fault.line, fault.field) for fault in faults]
    assert fields == [(24, "steps[0].config.scopes"), (25, "steps[0].config.max_pages")]
    text = changed('seeds = ["https://docs.test/"]\n', "")
    (fault,) = check(text, "toml", {**ACTIONS, "crawler": PAYLOADS["crawler"]}).faults
    assert (fault.line, fault.field) == (22, "steps[0].config.seeds")


def test_a_step_cannot_be_the_step_of_a_run() -> None:
    step = {"name": "a", "action": "workflow_step", "config": {"step": "a"}}
    (fault,) = check(json.dumps({"id": "x", "steps": [step]}), "json", PAYLOADS).faults
    assert (fault.field, "made by a run" in fault.text) == ("steps[0].action", True)


def test_a_page_of_a_crawl_is_no_step() -> None:
    step = {"name": "a", "action": "crawler_url", "config": {"url": "https://docs.test/"}}
    actions = {"crawler_url": PAGE}
    (fault,) = check(json.dumps({"id": "x", "steps": [step]}), "json", actions).faults
    assert (fault.field, "part of a crawler" in fault.text) == ("steps[0].action", True)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = changed('action = "crawler"', 'action = "crawl"').replace('"collect"]', '"x"]')
    lines = [fault.line for fault in check(text, "toml", ACTIONS).faults]
    assert lines == [17, 29, 30, 31]


FOR_EACH = [
    (5, "", "an expression, a list, or a query such as"),
    (True, "", "an expression, a list, or a query such as"),
    ("a b", "", "cannot be read at character 3: 'b' is not expected"),
    ({}, "", "a query is for documents or for sources, one of the two"),
    ({"documents": 5}, ".documents", "it is no object with names and values"),
    ({"documents": {"tags": "x"}}, ".documents.tags", "is not known here; is it misspelt?"),
    ({"documents": {"limit": 0}}, ".documents.limit", "greater than or equal to 1"),
    ({"documents": {"tag": "{{ a b }}"}}, ".documents.tag", "'b' is not expected"),
]


@pytest.mark.parametrize(("wrong", "field", "says"), FOR_EACH)
def test_a_for_each_that_is_wrong_is_told_in_one_sentence(
    wrong: Any, field: str, says: str
) -> None:
    step = {"name": "a", "action": "say", "for_each": wrong}
    (fault,) = check(json.dumps({"id": "x", "steps": [step]}), "json", ACTIONS).faults
    assert fault.field == f"steps[0].for_each{field}"
    assert says in fault.text
    assert "; or " not in fault.text


@pytest.mark.parametrize("more", [{}, {"condition": "a b"}, {"retries": "many"}])
def test_an_expression_that_cannot_be_read_hides_no_other_fault(more: dict[str, Any]) -> None:
    config = {"one": "{{ a b }}", "two": ["{{ parameters.none }}"], "three": "{{ open"}
    step = {"name": "a", "action": "say", "config": config, **more}
    faults = check(json.dumps({"id": "x", "steps": [step]}, indent=1), "json", ACTIONS).faults
    fields = {fault.field.removeprefix("steps[0].") for fault in faults}
    assert {"config.one", "config.three"} <= fields
    assert more.keys() <= fields
    assert more or "config.two[0]" in fields
    assert [fault.line for fault in faults] == sorted(fault.line or 0 for fault in faults)


def test_a_for_each_that_is_a_list_is_read_like_a_config() -> None:
    step = {"name": "b", "action": "say", "for_each": ["{{ steps.a.result }}", ["{{ 1 + }}"]]}
    value = {"id": "x", "steps": [{"name": "a", "action": "say"}, step]}
    faults = check(json.dumps(value), "json", ACTIONS).faults
    assert {each.field for each in faults} == {"steps[1].for_each[0]", "steps[1].for_each[1][0]"}
    assert "add it to depends_on" in str(faults)


def test_a_pre_job_cannot_be_one_whose_failure_is_of_no_matter() -> None:
    pre = {"name": "look", "action": "say", "on_error": "continue"}
    text = json.dumps({"id": "x", "pre_jobs": [pre], "steps": [{"name": "a", "action": "say"}]})
    (fault,) = check(text, "json", ACTIONS).faults
    assert fault.field == "pre_jobs[0].on_error"
    assert "use fail or retry" in fault.text


@pytest.mark.parametrize(
    ("alone", "when"),
    [({"schedule": {"cron": "0 3 * * *"}}, "the schedule"), ({"auto_start": True}, "the program")],
)
def test_a_run_that_begins_by_itself_needs_no_parameter_that_nobody_gives(
    alone: dict[str, Any], when: str
) -> None:
    def faults(**more: Any) -> list[Any]:
        parameters = {"seed": {"required": True}, "depth": {"type": "integer", "default": 2}}
        value = {"id": "x", "parameters": parameters, "steps": [{"name": "a", "action": "say"}]}
        return list(check(json.dumps({**value, **more}), "json", ACTIONS).faults)

    (fault,) = faults(**alone)
    assert fault.field == "parameters.seed.required"
    assert when in fault.text
    assert "give 'seed' a default" in fault.text
    assert faults() == []


def test_steps_that_wait_for_one_another_are_refused_with_the_circle() -> None:
    steps = [
        {"name": name, "action": "say", "depends_on": [needs]}
        for name, needs in (("a", "c"), ("b", "a"), ("c", "b"))
    ]
    (fault,) = check(json.dumps({"id": "x", "steps": steps}), "json", ACTIONS).faults
    assert "a → c → b → a" in fault.text or "wait for one another" in fault.text


BAD_JSON = [
    ("{", 1, "", "Expecting property name"),
    ('{\n"id": "x",\n"id": "y"}', None, "", "stands twice"),
    ('{"id": ' + "[" * 700 + "]" * 700 + "}", None, "", "nested"),
    ('{"id": "x", "steps": [{"config": {"a": "\\ud800"}}]}', None, "", "half a character"),
    ('{"id": "x", "steps": [{"config": {"\\udc00": 1}}]}', None, "", "half a character"),
    ("[]", 1, "", "an object with id"),
    (
        '{"id": "x",\n "steps": [\n {"name": "a",\n "action": "nope"}]}',
        4,
        "steps[0].action",
        "nope",
    ),
    ('{"id": "x", "steps": []}', 1, "steps", "at least 1"),
    ("[" * 100_000, None, "", "nested too deep"),
    ('{"id": "x",\n"timeout": NaN}', 2, "timeout", "no number"),
    ('{"id": "x",\n"timeout": [1e999]}', 2, "timeout[0]", "too large"),
    ('{"id": 9223372036854775808}', 1, "id", "too large"),
    ('{"id": ' + "9" * 5_000 + "}", None, "", "a number has more than"),
    ("", 1, "", "Expecting value"),
    ('{"id": "x", "steps": "y"}', 1, "steps", "valid list"),
]


@pytest.mark.parametrize(("text", "line", "field", "says"), BAD_JSON)
def test_bad_json_is_told_with_its_line(text: str, line: int | None, field: str, says: str) -> None:
    (fault,) = check(text, "json", ACTIONS).faults
    assert (fault.line, fault.field) == (line, field)
    assert says in fault.text


def test_dates_of_toml_are_texts_as_in_json() -> None:
    text = (
        'id = "x"\nparameters.day = { default = 2026-03-02 }\n[[steps]]\nname = "a"\n'
        'action = "say"\nconfig = { at = 2026-03-02T10:00:00Z, each = [07:30:00] }\n'
    )
    definition = check(text, "toml", ACTIONS).definition
    assert definition is not None
    assert definition.parameters["day"].default == "2026-03-02"
    wanted = {"at": "2026-03-02T10:00:00+00:00", "each": ["07:30:00"]}
    assert definition.steps[0].config == wanted


def test_a_mark_of_unicode_before_the_text_is_passed_over() -> None:
    assert check("\ufeff" + GOOD.strip(), "toml", ACTIONS).faults == []
    (fault,) = check("\ufeff" + '{"id": "x",\n"steps": 5}', "json", ACTIONS).faults
    assert fault.line == 2


def test_a_text_that_is_too_long_is_not_read() -> None:
    (fault,) = check("x" * 1_000_001, "toml", ACTIONS).faults
    assert "more than 1000000 bytes" in fault.text


BLANKS = " " * 200_000
COSTLY = [
    (f'["a{BLANKS}b"]\nx = 1', "toml", "it is missing"),
    (f"[a]{BLANKS}# {BLANKS}", "toml", "it is missing"),
    ('x = "' + '\\"' * 400_000 + '"', "toml", "it is missing"),
    ('x = "' + "a" * 400_000 + "." * 100 + '"', "toml", "it is missing"),
    ("a." * 200_000 + "a = 1", "toml", "line 1: a key has more than 100 parts"),
    ("x = {" + "'a' . b." * 60 + "a = 1}", "toml", "line 1: a key has more than 100 parts"),
    ("\n[" + "a." * 200_000 + "a]", "toml", "line 2: a key has more than 100 parts"),
    ("{" + ",".join(f'"{n}":1' for n in [*range(90_000), 89_999]) + "}", "json", "'89999' stands"),
]


@pytest.mark.parametrize(("text", "form", "says"), COSTLY, ids=range(len(COSTLY)))
def test_what_was_made_to_be_slow_to_read_takes_no_longer_than_its_length(
    text: str, form: Any, says: str
) -> None:
    assert any(says in fault.text for fault in check(text, form, ACTIONS).faults)


def test_a_key_of_many_words_in_a_text_is_no_key() -> None:
    words = "a." * 100
    assert check(GOOD.replace("The docs", words[1:]), "toml", ACTIONS).faults == []


def test_lines_are_found_whatever_stands_in_strings() -> None:
    text = 'a = """\n[x]\nb = 1\n"""\n[[t]]\nc = [\n  1, # ]\n]\n"d e".f = \'\'\'x\'\'\'\n[[t]]\n[t.u]\nv = "\\"["\nw = 2\n'
    tomllib.loads(text)
    lines = toml_lines(text)
    assert lines["a",] == 1
    assert ("x",) not in lines
    assert (lines["t", 0, "c"], lines["t", 0, "d e", "f"]) == (6, 9)
    assert (lines["t", 1], lines["t", 1, "u", "v"], lines["t", 1, "u", "w"]) == (10, 12, 13)
    assert toml_lines('a = "x\u2028y\x85"\r\nb = 1\n')["b",] == 2, "other signs end no line"
    lines = json_lines('{"a": [1,\n {"b": "}\\n"},\n null]\n, "c": {}}')
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", 0): 1,
        ("a", 1): 2,
        ("a", 1, "b"): 2,
        ("a", 2): 3,
        ("c",): 4,
    }


def test_steps_come_in_the_order_of_their_needs() -> None:
    definition = Definition.model_validate(
        {"id": "x", "steps": [
            {"name": "c", "action": "say", "depends_on": ["a", "b"]},
            {"name": "b", "action": "say"}, {"name": "a", "action": "say", "depends_on": ["b"]},
        ]}
    )  # fmt: skip
    assert [step.name for step in in_order(definition.steps)] == ["b", "a", "c"]


PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"n": "4"}, "'4' is no integer"), ({"n": True}, "True is no integer"), ({}, "'n' is missing"),
    ({"n": 1, "other": 2}, "no parameter 'other'; there are n, kind"),
    ({"n": 1, "kind": "c"}, "'c' is none of 'a', 'b'"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "says"), PARAMETERS)
def test_parameters_that_do_not_fit_are_refused(given: dict[str, Any], says: str) -> None:
    definition = Definition.model_validate({
        "id": "x", "steps": [{"name": "a", "action": "say"}],
        "parameters": {"n": {"type": "integer", "required": True}, "kind": {"choices": ["a", "b"]}},
    })  # fmt: skip
    with pytest.raises(BadInput, match=says):
        definition.parameters_with(given)
    assert definition.parameters_with({"n": 2}) == {"n": 2, "kind": None}


def test_where_a_job_type_is_unknown_only_those_that_can_be_steps_are_named() -> None:
    known = {**ACTIONS, "workflow_step": None, PAGE.name: PAGE}
    text = 'id = "x"\n[[steps]]\nname = "a"\naction = "sya"\n'
    (fault,) = check(text, "toml", known).faults
    assert fault.text == "there is no job type 'sya'; there are crawler, say, workflow"
