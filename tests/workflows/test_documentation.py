"""What the page about workflows says is so: its examples can be run, and it names every field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from quaero.api.flow_models import ScheduleModel
from quaero.app import registry_without_worker
from quaero.clock import SECOND
from quaero.settings import Settings
from quaero.workflows.definition import Definition, Parameter, Schedule, Step, Tolerance
from quaero.workflows.expression import FUNCTIONS
from quaero.workflows.parser import parse
from quaero.workflows.schedules import GRACE
from quaero.workflows.text import check

from ..opening import Opened  # noqa: TID252

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "workflows.md").read_text("utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
SCOPE: dict[str, Any] = {
    "parameters": {"tags": ["docs", "wiki"]},
    "steps": {"collect": {"result": {"saved": 12}, "skipped": False}},
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_can_be_run(opened: Opened, text: str) -> None:
    settings = Settings(data_dir=Path(opened.folder))
    known = registry_without_worker(settings, opened.db).known()
    assert check(text, "toml", known).faults == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
    assert {text.split("(")[0] for text, _ in ROWS} >= set(FUNCTIONS)


@pytest.mark.parametrize(("text", "value"), ROWS)
def test_each_expression_has_the_value_it_is_said_to_have(text: str, value: str) -> None:
    assert parse(text).value(SCOPE) == json.loads(value)


@pytest.mark.parametrize("text", [PAGE, Schedule.__doc__, ScheduleModel.__doc__])
def test_when_a_time_is_missed_is_told_as_it_is(text: str) -> None:
    told = re.findall(r"(\d+) s (?:past|from then on)", text)
    assert set(told) == {str(GRACE // SECOND)}


@pytest.mark.parametrize("model", [Definition, Step, Parameter, Schedule, Tolerance])
def test_every_field_is_named(model: Any) -> None:
    for name in model.model_fields:
        assert f"`{name}`" in PAGE or f"`{name} =" in PAGE, f"{model.__name__}.{name}"
