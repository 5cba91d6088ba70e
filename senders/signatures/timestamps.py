from __future__ import annotations

from senders.definitions.schemes import TimestampRule, TimestampUnit
from senders.signatures.errors import Cause, InvalidSignature
from senders.signatures.requests import RawRequest

MAX_DIGITS = 15
UNITS_PER_SECOND = {TimestampUnit.SECONDS: 1, TimestampUnit.MILLISECONDS: 1000}


def read_timestamp(
    rule: TimestampRule | None, request: RawRequest, *, now: float | None
) -> bytes:
    """Return the timestamp as it was signed, empty where the scheme has none.

    Raise InvalidSignature unless it is recent. One from the future is refused as well:
    it could be replayed for longer. Without a `now` none is recent.
    """
    if rule is None:
        return b""
    entries = request.entries(rule.read_from)
    if len(entries) != 1 or not _is_integer(entries[0].value):
        detail = "The timestamp is not one whole number."
        raise InvalidSignature(Cause.MALFORMED_HEADER, detail)
    timestamp = entries[0].value
    if rule.tolerance_seconds is not None:
        signed_at = int(timestamp) / UNITS_PER_SECOND[rule.unit]
        if now is None or abs(now - signed_at) > rule.tolerance_seconds:
            detail = f"The timestamp is more than {rule.tolerance_seconds} seconds off."
            raise InvalidSignature(Cause.TIMESTAMP_OUTSIDE_TOLERANCE, detail)
    return timestamp


def write_timestamp(rule: TimestampRule, *, now: float) -> int:
    return int(now * UNITS_PER_SECOND[rule.unit])


def _is_integer(text: bytes) -> bool:
    return text.isdigit() and len(text) <= MAX_DIGITS
