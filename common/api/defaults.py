from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.exceptions import MethodNotAllowed, ParseError
from rest_framework.metadata import SimpleMetadata
from rest_framework.parsers import BaseParser
from rest_framework.permissions import DjangoModelPermissions
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
    """The body is larger than the API takes."""

    code = "request_too_large"
    http_status = 413


class BoundedJSONParser(BaseParser):
    """JSON (RFC 8259) of bounded size and cost; no NaN, no number beyond a double."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value; raise RequestTooLarge or ParseError."""
        try:
            return parse_within_cost(_read(stream), _parse)
        except RecursionError as error:
            detail = f"The body is nested more than {MAX_DEPTH} levels deep"
            raise ParseError(detail) from error
        except JSONTooCostly as error:
            raise ParseError(f"The body {error}") from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error


def _parse(body: bytes) -> Any:
    return json.loads(body, parse_float=_finite, parse_constant=_refuse)


def _read(stream: IO[Any]) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestTooLarge(f"At most {limit:,} bytes are taken here")
    return body


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


class RawBytesRenderer(JSONRenderer):
    """Lets a client ask for `application/octet-stream`; only errors are rendered."""

    media_type = "application/octet-stream"
    format = "bin"


class BrowsablePages(BrowsableAPIRenderer):
    """The browsable API without scripts within its pages."""

    template = "tickhook/api.html"


_CHANGE = "%(app_label)s.change_%(model_name)s"
_VIEW = "%(app_label)s.view_%(model_name)s"


class ModelPermissions(DjangoModelPermissions):
    """Django's model permissions; reading needs `view`, not only a login."""

    perms_map = {  # noqa: RUF012 - DRF declares it on instances
        **DjangoModelPermissions.perms_map,
        "GET": [_VIEW],
        "HEAD": [_VIEW],
    }


class ChangePermissions(ModelPermissions):
    """For a POST that acts on an object there is already."""

    perms_map = {  # noqa: RUF012 - see above
        **ModelPermissions.perms_map,
        "POST": [_CHANGE],
    }


class AskPermissions(ModelPermissions):
    """For a POST that only asks something and changes nothing."""

    perms_map = {  # noqa: RUF012 - see above
        **ModelPermissions.perms_map,
        "POST": [_VIEW],
    }


class ViewMetadata(SimpleMetadata):
    """What OPTIONS answers; without fields where a view has no serializer of its own.

    A view whose actions each take another body has none: `/api/schema` describes them.
    """

    def determine_metadata(self, request: Request, view: APIView) -> dict[str, Any]:
        """Describe a resource; raise MethodNotAllowed for a page, which is none."""
        if isinstance(request.accepted_renderer, TemplateHTMLRenderer):
            raise MethodNotAllowed(str(request.method))
        described: dict[str, Any] = super().determine_metadata(request, view)
        return described

    def determine_actions(self, request: Request, view: APIView) -> dict[str, Any]:
        # DRF reads this class while it defines its views.
        from rest_framework.generics import GenericAPIView

        assert isinstance(view, GenericAPIView)  # noqa: S101 - it has a serializer
        chooses = type(view).get_serializer_class
        is_default = chooses is GenericAPIView.get_serializer_class
        if is_default and view.serializer_class is None:
            return {}
        return super().determine_actions(request, view)
