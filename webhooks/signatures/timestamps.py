from __future__ import annotations

from webhooks.definitions.schemes import TimestampRule, TimestampUnit
from webhooks.signatures.errors import Cause, InvalidSignature
from webhooks.signatures.requests import RawRequest

MAX_DIGITS = 15
UNITS_PER_SECOND = {TimestampUnit.SECONDS: 1, TimestampUnit.MILLISECONDS: 1000}


def read_timestamp(rule: TimestampRule, request: RawRequest, *, now: float) -> bytes:
    """Return the timestamp as it was signed; raise InvalidSignature unless recent.

    A timestamp from the future is refused as well: it could be replayed for longer.
    """
    entries = request.entries(rule.read_from)
    if len(entries) != 1 or not _is_integer(entries[0]):
        detail = "The timestamp is not one whole number."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    signed_at = int(entries[0]) / UNITS_PER_SECOND[rule.unit]
    if abs(now - signed_at) > rule.tolerance_seconds:
        detail = f"The timestamp is more than {rule.tolerance_seconds} seconds off."
        raise InvalidSignature(Cause.TIMESTAMP_OUTSIDE_TOLERANCE, detail)
    return entries[0]


def write_timestamp(rule: TimestampRule, *, now: float) -> bytes:
    return str(int(now * UNITS_PER_SECOND[rule.unit])).encode()


def _is_integer(entry: bytes) -> bool:
    return entry.isdigit() and len(entry) <= MAX_DIGITS
