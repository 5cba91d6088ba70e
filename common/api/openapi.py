"""The OpenAPI document: what all operations have in common, and its view.

`drf-spectacular` calls the hooks after it has collected the operations from the views.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from threading import Lock
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.encoding import force_bytes
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from common.api.errors import PROBLEM_JSON, TITLES

_TEXT = {"type": "string"}
_FAULTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {
            "pointer": {
                **_TEXT,
                "description": "A JSON Pointer to the member, or /name of a parameter.",
            },
            "detail": _TEXT,
        },
    },
}
_MEMBERS: dict[str, Any] = {
    "type": {**_TEXT, "description": "urn:tickhook:error: and the `error_code`."},
    "title": _TEXT,
    "status": {"type": "integer"},
    "detail": _TEXT,
    "instance": {**_TEXT, "description": "The path of the request."},
    "errors": _FAULTS,
    "error_code": _TEXT,
    "error_message": {**_TEXT, "description": "The same as `detail`."},
    "details": {**_FAULTS, "description": "The same as `errors`."},
    "timestamp": {**_TEXT, "format": "date-time"},
    "request_id": {**_TEXT, "format": "uuid"},
}
PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": list(_MEMBERS),
    "properties": _MEMBERS,
}

_HEADERS = {
    401: {"WWW-Authenticate": {"schema": _TEXT}},
    429: {"Retry-After": {"schema": {"type": "integer"}}},
    503: {"Retry-After": {"schema": {"type": "integer"}}},
}


def document_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the possible errors to each operation, with one schema for all of them."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for method, operation in _operations(result):
        for status in sorted(_statuses_of(method, operation)):
            answer = operation["responses"].setdefault(
                str(status), {"description": TITLES[status]}
            )
            problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
            answer.setdefault("content", {})[PROBLEM_JSON] = problem
            if status in _HEADERS:
                answer["headers"] = _HEADERS[status]
    return result


def name_actions(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Shorten the ids of operations that neither create nor retrieve a row.

    A POST creates only on a path whose rows have paths of their own: `triggers_run`
    instead of `triggers_run_create`, which generated clients use as names.
    """
    paths = result["paths"]
    collections = {path.rpartition("/")[0] for path in paths if path.endswith("}")}
    for path, operations in paths.items():
        for method, operation in operations.items():
            if method == "post" and path not in collections:
                suffix = "_create"
            elif method == "get" and not path.endswith("}"):
                suffix = "_retrieve"
            else:
                continue
            operation["operationId"] = operation["operationId"].removesuffix(suffix)
    return result


def require_answered_members(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Mark all members of responses as required, since a serializer writes all of them.

    A field with a default is optional only in requests.
    """
    schemas = result["components"]["schemas"]
    sent = set[str]()
    for _method, operation in _operations(result):
        sent |= _components_in(operation.get("requestBody", {}), schemas)
    for name, schema in schemas.items():
        if name not in sent and "properties" in schema:
            schema["required"] = sorted(schema["properties"])
    return result


def describe_defaults(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Move the defaults of requests into the descriptions.

    Some generated clients send the value of the keyword `default`: their PATCH would
    set every member that the caller left out. Others make such a member required.
    """
    for name, schema in result["components"]["schemas"].items():
        for member in schema.get("properties", {}).values():
            if "default" not in member:
                continue
            default = json.dumps(member.pop("default"))
            if name.endswith("Request") and not name.startswith("Patched"):
                words = member.get("description", "")
                member["description"] = f"{words} Defaults to {default}.".strip()
    return result


def drop_directions(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Remove `readOnly` and `writeOnly`: requests have schemas of their own.

    Some generators would split each schema a second time.
    """
    for schema in result["components"]["schemas"].values():
        for member in schema.get("properties", {}).values():
            member.pop("readOnly", None)
            member.pop("writeOnly", None)
    return result


def _statuses_of(method: str, operation: dict[str, Any]) -> set[int]:
    parameters = operation.get("parameters", ())
    in_path = any(p["in"] == "path" for p in parameters)
    in_query = {p["name"] for p in parameters if p["in"] == "query"}
    statuses = {400, 401, 403, 503}
    if in_path or "page" in in_query:
        statuses.add(404)
    if method != "get":
        statuses.add(409)
    if method == "post":
        statuses.add(429)
    if "requestBody" in operation:
        statuses |= {413, 415}
    return statuses


def _operations(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in result["paths"].values():
        yield from path.items()


def _components_in(node: Any, schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas to which a part of the document refers."""
    found, nodes = set[str](), [node]
    while nodes:
        match nodes.pop():
            case {"$ref": str(place)}:
                name = place.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    nodes.append(schemas[name])
            case dict(members):
                nodes += members.values()
            case list(items):
                nodes += items
    return found


_rendered: dict[type[BaseRenderer], bytes] = {}
BUILDING = Lock()  # held while the document is built, which is not thread-safe


class CachedSchemaView(SpectacularAPIView):
    """The OpenAPI document, built once per process: building takes 0.1 s of CPU.

    It depends only on the format of a request: `lang` and `version` are ignored. DRF
    has checked the permissions of the settings before.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        renderer = request.accepted_renderer
        content = self._content(request, renderer)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        response = get_conditional_response(request._request, etag=etag)
        if response is None:
            name = f"{spectacular_settings.TITLE}.{renderer.format}"
            headers = {
                "Content-Disposition": f'inline; filename="{name}"',
                "ETag": etag,
            }
            response = HttpResponse(
                content, content_type=renderer.media_type, headers=headers
            )
        patch_vary_headers(response, ["Accept"])
        return response

    def _content(self, request: Request, renderer: BaseRenderer) -> bytes:
        kind = type(renderer)
        with BUILDING:
            if kind not in _rendered:
                generator: Any = self.generator_class()
                schema = generator.get_schema(request=request, public=True)
                content = renderer.render(schema, renderer.media_type, {})
                _rendered[kind] = force_bytes(content)
            return _rendered[kind]
