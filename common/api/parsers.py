from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.errors import TickhookError
from common.json_depth import is_deeper_than

MAX_DEPTH = 100


class RequestTooLarge(TickhookError):
    """The body is larger than the API takes."""

    code = "request_too_large"
    http_status = 413


class BoundedJSONParser(BaseParser):
    """JSON (RFC 8259) of bounded size and depth; no NaN, no number beyond a double."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value; raise RequestTooLarge or ParseError."""
        try:
            value = json.loads(
                _read(stream), parse_float=_finite, parse_constant=_refuse
            )
        except RecursionError as error:
            raise _too_deep() from error
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error
        if is_deeper_than(value, MAX_DEPTH):
            raise _too_deep()
        return value


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


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested deeper than {MAX_DEPTH} levels")
