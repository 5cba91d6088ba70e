from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.errors import TickhookError
from common.json_cost import MAX_DEPTH, JSONTooCostly, parse_within_cost


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
        raise RequestTooLarge(f"At most {limit:,} bytes are accepted here")
    return body


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")
