"""The base of the API's views: it rejects query parameters that are not documented.

An unknown parameter would be ignored: a script with a misspelled filter would get, or
change, all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

import re2
from django.http import QueryDict
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.routers import APIRootView
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from common.api.openapi import BUILDING, CachedSchemaView
from common.api.serializers import MAX_NAME_LENGTH, MAX_UNKNOWN_FIELDS
from common.errors import Fault, InvalidInput, json_pointer

_PLACE = re2.compile(r"{[^}]*}|<[^>]*>")


class StrictAPIView(APIView):
    """A view that accepts the query parameters that the OpenAPI document lists."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method).lower()
        if method != "options":
            methods = {"get" if method == "head" else method}
            if request.accepted_renderer.format == BrowsableAPIRenderer.format:
                methods.add("get")  # the forms of a page send to its own address
            match = request._request.resolver_match
            route = match.route if match is not None else ""
            names = set().union(*(documented_parameters(m, route) for m in methods))
            refuse_unknown_parameters(request.query_params, names)


class RootView(StrictAPIView, APIRootView):
    """The addresses of the API's lists, for everyone with a login."""

    permission_classes = (IsAuthenticated,)


def refuse_unknown_parameters(query: QueryDict, known: Iterable[str]) -> None:
    """Raise InvalidInput with one fault per parameter that is not known.

    `format`, which selects the renderer, is always known.
    """
    names = sorted(known)
    unknown = sorted(set(query) - {*names, api_settings.URL_FORMAT_OVERRIDE})
    shown = [name[:MAX_NAME_LENGTH] for name in unknown[:MAX_UNKNOWN_FIELDS]]
    faults = [Fault(json_pointer(name), _describe(name, names)) for name in shown]
    if faults:
        raise InvalidInput(" ".join(f.detail for f in faults), faults=faults)


def documented_parameters(method: str, route: str) -> frozenset[str]:
    """Return the names of the query parameters of an operation; none if unknown.

    `method` is in lower case, `route` as Django or the OpenAPI document writes it.
    """
    return _parameters_by_operation().get((method, _template(route)), frozenset())


def _describe(name: str, known: list[str]) -> str:
    if not known:
        advice = "This operation has none."
    elif close := get_close_matches(name.lower(), known, n=1):
        advice = f"Did you mean {close[0]!r}?"
    else:
        advice = f"Known are: {', '.join(known)}."
    return f"Unknown query parameter {name!r}. {advice}"


@cache
def _parameters_by_operation() -> Mapping[tuple[str, str], frozenset[str]]:
    generator: Any = CachedSchemaView.generator_class()
    with BUILDING:
        paths = generator.get_schema(request=None, public=True)["paths"]
    return {
        (method, _template(path)): frozenset(
            p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"
        )
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


def _template(route: str) -> str:
    """Return a path without the names and converters of its places."""
    return str(_PLACE.sub("{}", route)).strip("/")
