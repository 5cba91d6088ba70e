"""Time zones: their names, and the instants at which their UTC offsets change.

Three kinds of time appear here: an instant (aware, UTC), a wall time (naive, local time
in a zone), and a shift, the instant at which the zone's offset changes. A shift forward
leaves a gap of wall times that do not exist; a shift back makes an overlap of wall
times that occur twice.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

LONGEST_NAME = 64
ONE_SECOND = timedelta(seconds=1)
# The system's database has them, but they name no place and differ between machines.
NOT_ZONES = frozenset({"Factory", "localtime"})


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_ZONES)


def explain_unknown_zone(name: object) -> str | None:
    """Return why this is not the name of a time zone; None if it is one."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return "The time zone must be an IANA name such as 'Europe/Berlin'."
    if name in zone_names():
        return None
    similar = get_close_matches(name, zone_names(), n=1)
    hint = f"; did you mean '{similar[0]}'?" if similar else "."
    return f"Unknown time zone {name!r}{hint}"


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A change of a zone's UTC offset, from `before` to `after`, at one instant."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def wall_before(self) -> datetime:
        """The wall time at the shift by the offset before it."""
        return self.at.replace(tzinfo=None) + self.before

    @property
    def wall_after(self) -> datetime:
        """The wall time at the shift by the offset after it."""
        return self.at.replace(tzinfo=None) + self.after


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def offset_of_wall(wall: datetime, zone: ZoneInfo, *, fold: int = 0) -> timedelta:
    """Return the offset for a wall time, as PEP 495 defines it.

    In a gap and in an overlap, fold 0 gives the offset before the shift and fold 1 the
    offset after it.
    """
    return _offset(wall.replace(tzinfo=zone, fold=fold))


def is_in_gap(wall: datetime, zone: ZoneInfo) -> bool:
    """Return whether the wall time does not exist in the zone."""
    return offset_of_wall(wall, zone, fold=0) < offset_of_wall(wall, zone, fold=1)


def is_repeated(wall: datetime, zone: ZoneInfo) -> bool:
    """Return whether the wall time occurs twice in the zone."""
    return offset_of_wall(wall, zone, fold=0) > offset_of_wall(wall, zone, fold=1)


def shift_around_wall(wall: datetime, zone: ZoneInfo) -> Shift:
    """Return the shift in whose gap or overlap the wall time lies."""
    before = offset_of_wall(wall, zone, fold=0)
    after = offset_of_wall(wall, zone, fold=1)
    earlier, later = sorted((wall - before, wall - after))
    start = earlier.replace(tzinfo=UTC)
    seconds = bisect_left(
        range((later - earlier) // ONE_SECOND),
        True,
        key=lambda n: _offset_at(start + n * ONE_SECOND, zone) == after,
    )
    return Shift(at=start + seconds * ONE_SECOND, before=before, after=after)


def gap_ending_at(instant: datetime, zone: ZoneInfo) -> Shift | None:
    """Return the shift forward that happens at exactly this instant; None if none."""
    before = _offset_at(instant - ONE_SECOND, zone)
    after = _offset_at(instant, zone)
    if after <= before:
        return None
    return Shift(at=instant, before=before, after=after)


def _offset_at(instant: datetime, zone: ZoneInfo) -> timedelta:
    return _offset(instant.astimezone(zone))


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("the moment has no time zone")
    return offset
