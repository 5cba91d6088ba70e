from __future__ import annotations

import json

from senders.parsing import MalformedBody
from senders.parsing.json_values import parse_json
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.requests import RawRequest


def set_body_field(
    request: RawRequest, path: tuple[str, ...], value: str | int
) -> bytes:
    """Return the JSON body with this value in this place, as text where text was.

    Raise InvalidSignature unless the body is JSON and has an object for it.
    """
    document = _parse(request.body)
    *parents, name = path
    place = document
    for parent in parents:
        place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise _no_place(path)
    place[name] = str(value) if isinstance(place.get(name), str) else value
    return json.dumps(document).encode()


def _parse(body: bytes) -> object:
    try:
        return parse_json(body)
    except MalformedBody as error:
        raise InvalidSignature(Cause.MALFORMED_BODY, "The body is not JSON.") from error


def _no_place(path: tuple[str, ...]) -> InvalidSignature:
    detail = f"The body has no object for /{'/'.join(path)}."
    return InvalidSignature(Cause.MISSING_FIELD, detail)
