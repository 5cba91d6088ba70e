"""Texts in a cron expression that say another kind of schedule, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

from triggers.schedules.interval import LONGEST_SECONDS

UNIT_SECONDS = {
    "ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600),
    "d": Fraction(86_400), "w": Fraction(604_800),
}  # fmt: skip
LONG_UNITS = {
    "second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h",
    "day": "d", "week": "w",
}  # fmt: skip
EVERY = re.compile(r"(?:@?every\s+|rate\s*\()(.*?)\)?", re.IGNORECASE)
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zµ]+)\s*")
AT = re.compile(r"at\s*\((.*)\)", re.IGNORECASE)
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
INTERVAL = (
    "an interval has a schedule type of its own: use schedule_type 'interval' with"
    " interval_seconds"
)


def explain_other_kind(text: str) -> str | None:
    """Return what to write for an interval, an instant or a start; None for others."""
    if text.lower() == "@reboot":
        return (
            "'@reboot' is not supported, as a trigger belongs to no machine; create a"
            " trigger of trigger_type 'manual', and let the machine call its /run when"
            " it starts"
        )
    if every := EVERY.fullmatch(text):
        seconds = _read_duration(every[1].strip().lower())
        if seconds is None or not 1 <= seconds <= LONGEST_SECONDS or seconds % 1:
            return f"{INTERVAL}, a whole number from 1 to {LONGEST_SECONDS}"
        return f"{INTERVAL} {int(seconds)}"
    if at := AT.fullmatch(text):
        return _explain_instant(at[1].strip())
    if clock := TIME_OF_DAY.fullmatch(text):
        return (
            "a time alone is no cron expression; write"
            f" '{int(clock[2])} {int(clock[1])} * * *' for every day at that time"
        )
    return None


def _read_duration(text: str) -> Fraction | None:
    """Return the seconds of `1h30m`, `5 minutes` or `minute`; None if it is neither."""
    if _unit(text) is not None:
        text = f"1{text}"
    parts = list(_parts(text))
    if not parts or None in parts:
        return None
    return sum((part for part in parts if part is not None), Fraction(0))


def _parts(text: str) -> Iterator[Fraction | None]:
    position = 0
    while position < len(text):
        part = DURATION_PART.match(text, position)
        unit = _unit(part[2]) if part else None
        if part is None or unit is None:
            yield None
            return
        yield Fraction(part[1]) * unit
        position = part.end()


def _unit(name: str) -> Fraction | None:
    short = LONG_UNITS.get(name.removesuffix("s"), name)
    return UNIT_SECONDS.get(short)


def _explain_instant(text: str) -> str:
    message = "an instant has a schedule type of its own: use schedule_type 'once' with"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return f"{message} the date and time in schedule_config.at"
    return f'{message} schedule_config {{"at": "{at.isoformat()}"}}'
