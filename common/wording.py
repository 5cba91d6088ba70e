"""Words for people: the common statuses, and how durations and sizes are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Status:
    """A status as pages show it: a word, a shape, and a color of tickhook.css."""

    word: str
    mark: str
    color: str


SUCCEEDED = Status("succeeded", "✓", "green")
FAILED = Status("failed", "✕", "red")
TIMED_OUT = Status("timed out", "✕", "red")
SKIPPED = Status("skipped", "–", "gray")  # noqa: RUF001 - a shape
WAITING = Status("waiting", "⏸", "amber")
GOING = Status("going", "▸", "blue")
MISSED = Status("missed", "!", "amber")
CANCELLED = Status("cancelled", "✕", "outline")
HELD = Status("held", "?", "violet")

ON = Status("on", "✓", "green")
OFF = Status("off", "○", "gray")


def time_text(at: datetime) -> str:
    """Return a time in UTC as titles show it: 30 Nov 14:05 UTC; with another year."""
    utc = at.astimezone(UTC)
    year = "" if utc.year == datetime.now(UTC).year else f" {utc.year}"
    return f"{utc.day} {utc:%b}{year} {utc:%H:%M} UTC"


def duration_text(milliseconds: float) -> str:
    """Return a duration in words: 6 ms, 1.2 s, 4 min 10 s, 3 h 5 min, 2 d 4 h."""
    if round(milliseconds) < 1000:
        return f"{round(milliseconds)} ms"
    seconds = milliseconds / 1000
    if round(seconds, 1) < MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < HOUR:
        return _two_parts(whole, (MINUTE, "min"), (1, "s"))
    if whole < DAY:
        return _two_parts(whole, (HOUR, "h"), (MINUTE, "min"))
    return _two_parts(whole, (DAY, "d"), (HOUR, "h"))


def _two_parts(seconds: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    count, rest = divmod(seconds, large[0])
    text = f"{count} {large[1]}"
    return f"{text} {rest // small[0]} {small[1]}" if rest >= small[0] else text


def bytes_text(size: int) -> str:
    """Return a size in words: 512 bytes, 1.1 KB, 3.4 MB."""
    if size < 1024:
        return f"{size} byte" if size == 1 else f"{size} bytes"
    if size < 1024**2:
        return f"{size / 1024:.1f} KB"
    return f"{size / 1024**2:,.1f} MB"
