"""The description of the interface (OpenAPI 3.1): what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from quaero.web.describing import PROBLEM_TYPE
from quaero.web.models import Problem
from quaero.work.registry import Registry

_METHODS = ("get", "put", "post", "patch", "delete")


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
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path in made["paths"].values():
            for method in _METHODS:
                if method in path:
                    _complete(path[method])
        app.openapi_schema = made
    return app.openapi_schema


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
    if body and operation["operationId"] == "patch_job":
        body["content"]["application/merge-patch+json"] = body["content"]["application/json"]
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if PROBLEM_TYPE in content:
            content.pop("application/json", None)
