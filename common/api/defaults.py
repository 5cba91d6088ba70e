"""The default parser, renderers, permissions and metadata of the API's views."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import MethodNotAllowed, ParseError
from rest_framework.metadata import SimpleMetadata
from rest_framework.parsers import BaseParser
from rest_framework.renderers import (
    BrowsableAPIRenderer,
    JSONRenderer,
    TemplateHTMLRenderer,
)
from rest_framework.request import Request

from common.errors import TickhookError
from common.json_cost import MAX_DEPTH, JSONTooCostly, parse_within_cost

if TYPE_CHECKING:
    from rest_framework.views import APIView


class RequestTooLarge(TickhookError):
    """The body is larger than the API accepts."""

    code = "request_too_large"
    http_status = 413


class BoundedJSONParser(BaseParser):
    """JSON (RFC 8259) of limited size and cost, without NaN and infinite numbers."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value; raise RequestTooLarge or ParseError."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body: bytes = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestTooLarge(f"At most {limit:,} bytes are accepted here")
        try:
            return parse_within_cost(body, _parse)
        except RecursionError as error:
            detail = f"The body is nested more than {MAX_DEPTH} levels deep"
            raise ParseError(detail) from error
        except JSONTooCostly as error:
            raise ParseError(f"The body {error}") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error


def _parse(body: bytes) -> Any:
    def parse_float(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError("a number is out of range")
        return number

    def reject_constant(name: str) -> float:
        raise ValueError(f"{name} is not a JSON value")

    return json.loads(body, parse_float=parse_float, parse_constant=reject_constant)


class RawBytesRenderer(JSONRenderer):
    """Accepts a request for `application/octet-stream`; renders only errors."""

    media_type = "application/octet-stream"
    format = "bin"


class BrowsablePages(BrowsableAPIRenderer):
    """The browsable API without inline scripts."""

    template = "tickhook/api.html"


class ViewMetadata(SimpleMetadata):
    """The response to OPTIONS, without the fields if a view has no serializer.

    A view whose actions have different bodies has none: `/api/schema` describes them.
    """

    def determine_metadata(self, request: Request, view: APIView) -> dict[str, Any]:
        """Describe a resource; raise MethodNotAllowed for an HTML page."""
        if isinstance(request.accepted_renderer, TemplateHTMLRenderer):
            raise MethodNotAllowed(str(request.method))
        described: dict[str, Any] = super().determine_metadata(request, view)
        return described

    def determine_actions(self, request: Request, view: APIView) -> dict[str, Any]:
        # DRF imports this module while it defines its views.
        from rest_framework.generics import GenericAPIView

        assert isinstance(view, GenericAPIView)  # noqa: S101 - it has a serializer
        chooses = type(view).get_serializer_class
        is_default = chooses is GenericAPIView.get_serializer_class
        if is_default and view.serializer_class is None:
            return {}
        return super().determine_actions(request, view)
