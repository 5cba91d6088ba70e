"""Reads instants of documents and formats them, in UTC and without any locale."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.values import is_number, quoted, read_datetime, read_number

# As seconds, this is the year 5138; as milliseconds, it is 1973.
_FIRST_MILLISECONDS = 100_000_000_000
_LENGTH_OF_ISO_DATE = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
)  # fmt: skip

Format = Callable[[datetime], str]

DIRECTIVES: dict[str, Format] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "m": lambda at: f"{at.month:02}",
    "d": lambda at: f"{at.day:02}",
    "H": lambda at: f"{at.hour:02}",
    "I": lambda at: f"{(at.hour + 11) % 12 + 1:02}",
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "f": lambda at: f"{at.microsecond:06}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "u": lambda at: f"{at.isoweekday()}",
    "G": lambda at: f"{at.isocalendar().year:04}",
    "V": lambda at: f"{at.isocalendar().week:02}",
    "F": lambda at: f"{at.year:04}-{at.month:02}-{at.day:02}",
    "T": lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}",
    "s": lambda at: f"{(at - _EPOCH) // timedelta(seconds=1)}",
    "z": lambda at: "+0000",
    "Z": lambda at: "UTC",
    "%": lambda at: "%",
}


def compile_format(written: str) -> Format:
    """Return a function that formats an instant; raise ValueError if not valid."""
    pieces: list[str | Format] = []
    at = 0
    while (sign := written.find("%", at)) >= 0:
        directive = DIRECTIVES.get(written[sign + 1 : sign + 2])
        if directive is None:
            known = " ".join(f"%{name}" for name in DIRECTIVES)
            unknown = quoted(written[sign : sign + 2])
            raise ValueError(f"Unknown directive {unknown}; known: {known}")
        pieces += [written[at:sign], directive]
        at = sign + 2
    pieces.append(written[at:])

    return lambda instant: "".join(
        piece if isinstance(piece, str) else piece(instant) for piece in pieces
    )


def rfc_3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def read_instant(value: object) -> datetime | None:
    """Read an ISO 8601 date or time, or a number since 1970; return None if neither.

    Numbers are seconds, from 10^11 on milliseconds; text can be such a number of more
    than eight digits. Without an offset, a time is in UTC.
    """
    if isinstance(value, str):
        # Eight digits are a date, as ISO 8601 has it without hyphens.
        number = read_number(value) if len(value) > _LENGTH_OF_ISO_DATE else None
        instant = read_datetime(value) if number is None else _after_epoch(number)
    else:
        instant = _after_epoch(value) if is_number(value) else None
    try:
        return instant and instant.astimezone(UTC)
    except OverflowError:
        return None


def _after_epoch(number: float) -> datetime | None:
    milliseconds = number if abs(number) >= _FIRST_MILLISECONDS else number * 1000
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):  # ValueError: NaN
        return None
