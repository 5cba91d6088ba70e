"""Reads JSON bodies, and splits a JSON array into the bytes of its items."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

import orjson
import re2

from common.json_cost import JSONTooCostly, parse_within_cost
from senders.errors import MalformedBody

MAX_INTEGER_DIGITS = 4300

# orjson reads integers beyond 64 bits as floats; these have 19 digits or more.
_LONG_NUMBER = re2.compile(rb"[0-9]{19}")


def parse_json(body: bytes) -> object:
    """Return the JSON value of a body in UTF-8; raise MalformedBody if it is not JSON.

    Lone surrogates and integers of up to 4,300 digits are kept. A number beyond the
    range of a double (1e400) is valid JSON, but Python cannot represent it: it is
    rejected, as are NaN and Infinity.
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
    """Parse JSON that orjson rejects or rounds; slower."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(
            text,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_reject_constant,
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


def _reject_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not JSON.")


# SendGrid puts up to 768 KB of events into one array.
MAX_ITEMS = 4000
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder().raw_decode


def split_array(body: bytes) -> list[bytes]:
    """Return the items of a JSON array, each with the bytes that were sent.

    The caller has parsed `body`, so it is JSON within all limits. Raise MalformedBody
    if it is not an array of objects, or has more than 4,000 items.
    """
    text = body.decode("utf-8-sig")
    items: list[bytes] = []
    place = _skip(text, 0)
    if text[place : place + 1] != "[":
        raise MalformedBody("A batch must be a JSON array.")
    place = _skip(text, place + 1)
    while text[place] != "]":
        if len(items) == MAX_ITEMS:
            raise MalformedBody(f"The batch has more than {MAX_ITEMS:,} items.")
        value, end = _scan(text, place)
        if not isinstance(value, dict):
            raise MalformedBody(f"Item {len(items)} of the batch is not an object.")
        items.append(text[place:end].encode())
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return items


def _skip(text: str, place: int) -> int:
    match = _WHITESPACE.match(text, place)
    return match.end() if match else place
