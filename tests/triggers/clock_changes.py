"""All DST and other offset changes since 2000 in the IANA database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from tests.chaos.scale import IS_LONG
from triggers.schedules.zones import zone_names

YEARS = range(2000, 2041)
START = datetime(YEARS.start, 1, 1, tzinfo=UTC)
END = datetime(YEARS.stop, 1, 1, tzinfo=UTC)
ONE_SECOND = timedelta(seconds=1)
# The search misses a change that is reverted between two of its steps. The shortest one
# so far lasted just under seven days; the long form finds all that last a day.
STEP = timedelta(days=1) if IS_LONG else timedelta(days=5)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ClockChange:
    """A change from one offset to another; both are equal if only names change."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def size(self) -> timedelta:
        return abs(self.after - self.before)

    @property
    def wall_start(self) -> datetime:
        """The first wall time that does not exist or occurs twice."""
        return self.at.replace(tzinfo=None) + min(self.before, self.after)

    @property
    def wall_end(self) -> datetime:
        """The first wall time after those."""
        return self.wall_start + self.size


@cache
def changes_by_year() -> dict[int, list[tuple[str, ClockChange]]]:
    """Return the changes with a zone: each once, in the long form in every zone."""
    found: dict[int, list[tuple[str, ClockChange]]] = {year: [] for year in YEARS}
    tried: set[ClockChange] = set()
    for timezone in sorted(zone_names()):
        for change in changes_of(timezone):
            if IS_LONG or change not in tried:
                found[change.at.year].append((timezone, change))
                tried.add(change)
    return found


@cache
def changes_of(timezone: str) -> tuple[ClockChange, ...]:
    return tuple(_find_changes(ZoneInfo(timezone)))


def _find_changes(zone: ZoneInfo) -> Iterator[ClockChange]:
    seen, state = START, _state(START, zone)
    while seen < END:
        ahead = min(seen + STEP, END)
        if _state(ahead, zone) == state:
            seen = ahead
            continue
        seen = _end_of_state(seen, ahead, zone)
        state = _state(seen, zone)
        before = _offset(seen - ONE_SECOND, zone)
        yield ClockChange(at=seen, before=before, after=_offset(seen, zone))


def _end_of_state(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return when the state of `low` ends; the state of `high` is a different one."""
    state = _state(low, zone)
    while high - low > ONE_SECOND:
        middle = low + (high - low) // ONE_SECOND // 2 * ONE_SECOND
        if _state(middle, zone) == state:
            low = middle
        else:
            high = middle
    return high


def _state(instant: datetime, zone: ZoneInfo) -> tuple[object, ...]:
    """Return the offset and the other values that a change of the zone affects."""
    local = instant.astimezone(zone)
    return local.utcoffset(), local.dst(), local.tzname()


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    local = instant.astimezone(zone).replace(tzinfo=UTC)
    return local - instant
