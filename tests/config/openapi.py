"""The OpenAPI document as a JSON Schema, to check real responses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

PREFIX = "/api/v1"


@cache
def document() -> dict[str, Any]:
    """Return the document that /api/schema serves."""
    generator: Any = SchemaGenerator  # is untyped
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of each operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path.removeprefix(PREFIX), operation


def faults_of(method: str, path: str, response: Any) -> list[str]:
    """Return how a response differs from the document."""
    operation = document()["paths"][PREFIX + path][method]
    described = operation["responses"].get(str(response.status_code))
    if described is None:
        return [f"{response.status_code} is not documented"]
    media_type = response.get("Content-Type", "").partition(";")[0]
    if "content" not in described:
        return [] if not response.content else ["a body is not documented"]
    if media_type not in described["content"]:
        return [f"{media_type} is not documented"]
    if media_type == "application/octet-stream":
        return []
    schema = described["content"][media_type]["schema"]
    validator = Draft202012Validator({"components": _components(), **_strict(schema)})
    return [
        f"{error.json_path}: {error.message}"
        for error in validator.iter_errors(response.json())
    ]


@cache
def _components() -> Any:
    return _strict(document()["components"])


def _strict(node: Any) -> Any:
    """Translate `nullable` of OpenAPI 3.0, and forbid additional members."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {name: _strict(value) for name, value in node.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    if schema.pop("nullable", None) is True:
        return {"anyOf": [{"type": "null"}, schema]}
    return schema
