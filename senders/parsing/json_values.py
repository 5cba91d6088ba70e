from __future__ import annotations

import json
import math
from typing import NoReturn

import orjson
import re2

from common.json_cost import JSONTooCostly, parse_within_cost
from senders.parsing.errors import MalformedBody

MAX_INTEGER_DIGITS = 4300

# orjson reads integers beyond 64 bits as floats; these have 19 digits or more.
_LONG_NUMBER = re2.compile(rb"[0-9]{19}")


def parse_json(body: bytes) -> object:
    """Return the JSON value of a body in UTF-8; raise MalformedBody if it has none.

    Lone surrogates and integers of any size up to 4,300 digits are kept. A number
    beyond the range of a double (1e400) is valid JSON, but no value to work with:
    it is refused, as are NaN and Infinity.
    """
    try:
        return parse_within_cost(body, _parse)
    except JSONTooCostly as error:
        raise MalformedBody(f"The JSON {error}.") from error


def _parse(body: bytes) -> object:
    if _LONG_NUMBER.search(body) is not None:
        return _parse_exactly(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_exactly(body)


def _parse_exactly(body: bytes) -> object:
    """Parse what orjson refuses or rounds; slower."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(
            text,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise MalformedBody("The JSON is nested too deeply.") from error


def _parse_integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise MalformedBody(f"A number has more than {MAX_INTEGER_DIGITS} digits.")
    return int(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedBody("A number is too large for a 64-bit float.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not JSON.")
