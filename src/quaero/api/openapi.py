"""The description of the interface (OpenAPI 3.1): what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from quaero.api import examples, flow_examples, reference
from quaero.api.describing import PROBLEM_TYPE
from quaero.api.models import Problem
from quaero.work.registry import Registry

_METHODS = ("get", "put", "post", "patch", "delete")
# FastAPI leaves fields that are null out of examples.
_WITH_NULLS = {
    "JobItem": examples.JOB_ITEM,
    "Job": examples.JOB,
    "DocumentItem": examples.DOCUMENT,
    "DocumentModel": examples.WHOLE_DOCUMENT,
    "SourceModel": examples.SOURCE,
    "LoginModel": examples.LOGIN,
    "DefinitionItem": flow_examples.DEFINITION_ITEM,
    "DefinitionModel": flow_examples.DEFINITION,
    "ScheduleModel": flow_examples.SCHEDULE,
    "Steps": flow_examples.STEPS,
}
_PLAIN: dict[str, Any] = {
    "string": "…", "integer": 1, "number": 0.5, "boolean": False, "null": None, "object": {}
}  # fmt: skip
# Where a value is made ready before it is checked, Pydantic leaves its bounds in its own words.
_BOUNDS = {
    "ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"
}  # fmt: skip
_VALUES = ("default", "const", "enum", "example", "examples")
_A_TIME = "2026-11-22T06:30:00.000000Z"


def describe(app: FastAPI) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = made["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs", {})
        schemas["Problem"] = problem
        schemas["NewJob"] = _by_type(schemas, app.state.parts.registry)
        for name, example in _WITH_NULLS.items():
            schemas[name]["examples"] = [example]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        _say_bounds(made)
        for path in made["paths"].values():
            for method in _METHODS:
                if method in path:
                    _complete(path[method])
                    _show_examples(path[method], schemas)
        made["x-errors"] = reference.errors()
        made["x-socket"] = list(reference.SOCKET_MESSAGES)
        app.openapi_schema = made
    return app.openapi_schema


def _say_bounds(part: Any) -> None:
    """Say the bounds of numbers in the words of JSON Schema."""
    if isinstance(part, list):
        for each in part:
            _say_bounds(each)
    elif isinstance(part, dict):
        for ours, theirs in _BOUNDS.items():
            if isinstance(part.get(ours), int | float):
                part[theirs] = part.pop(ours)
        for name, each in part.items():
            if name not in _VALUES:
                _say_bounds(each)


def _by_type(schemas: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """A new job as one of its types, each with its payload."""
    general = schemas["NewJob"]
    variants = []
    for job_type in sorted(registry, key=lambda each: str(each.name)):
        payload = job_type.payload.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= payload.pop("$defs", {})
        name = f"{job_type.name}_payload"
        schemas[name] = payload
        variant = {key: value for key, value in general.items() if key != "examples"}
        variant["title"] = f"{general['title']} of type {job_type.name}"
        variant["properties"] = general["properties"] | {
            "type": {"const": job_type.name, "type": "string"},
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
        if payload.get("required"):
            variant["required"] = [*general["required"], "payload"]
        variants.append(variant)
    head = {key: general[key] for key in ("title", "description", "examples")}
    return {**head, "oneOf": variants, "discriminator": {"propertyName": "type"}}


def _complete(operation: dict[str, Any]) -> None:
    """A short name for clients, and the media type of merge patches."""
    operation["operationId"] = operation["operationId"].split("_api_")[0]
    body = operation.get("requestBody")
    if body and operation["operationId"] in ("patch_job", "patch_login", "patch_source"):
        body["content"]["application/merge-patch+json"] = body["content"]["application/json"]
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if PROBLEM_TYPE in content:
            content.pop("application/json", None)


def _show_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """An example of each JSON body and answer, made from the examples of its parts."""
    contents = [each.get("content", {}) for each in operation["responses"].values()]
    contents.append(operation.get("requestBody", {}).get("content", {}))
    for content in contents:
        for media_type, shown in content.items():
            if "json" in media_type and shown.get("schema") and media_type != PROBLEM_TYPE:
                shown.setdefault("example", _example_of(shown["schema"], schemas))


def _example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value that fits a schema of ours."""
    if "$ref" in schema:
        return _example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for choice in ("anyOf", "oneOf"):
        if choice in schema and "properties" not in schema:
            return _example_of(schema[choice][0], schemas)
    if "properties" in schema:
        return {
            name: _example_of(each, schemas)
            for name, each in schema["properties"].items()
            if name in schema.get("required", ())
        }
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return [_example_of(each, schemas) for each in items]
    return _A_TIME if schema.get("format") == "date-time" else _PLAIN[schema.get("type", "null")]
