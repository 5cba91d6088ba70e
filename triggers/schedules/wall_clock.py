"""Schedules in local time (cron, daily, weekly, once): from wall times to instants.

By default they follow the rules of Debian's cron. A wall time that does not exist comes
due at the first instant after the gap; one that occurs twice comes due once, the first
time. Rules that follow elapsed time come due at every instant whose wall time matches.

Three kinds of time appear here: an instant (aware, UTC), a wall time (naive, local time
in a zone), and a shift, the instant at which the zone's offset changes. A shift forward
leaves a gap of wall times that do not exist; a shift back makes an overlap of wall
times that occur twice.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from triggers.schedules.base import DstNote, Schedule
from triggers.schedules.zones import load_zone

CACHED_OCCURRENCES = 16_384
ONE_SECOND = timedelta(seconds=1)


class DstGap(StrEnum):
    """When a fixed wall time that does not exist comes due: after the gap, or never."""

    AFTER = "after"
    SKIP = "skip"


class DstOverlap(StrEnum):
    """Which time a fixed wall time that occurs twice comes due."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class WallClockRule(Protocol):
    """The wall times of a schedule, in whole seconds; a hashable value."""

    @property
    def follows_elapsed_time(self) -> bool:
        """Whether every instant that matches counts, also across a DST change."""

    @property
    def most_per_hour(self) -> int:
        """The most wall times within an hour."""

    def next_wall(self, after: datetime) -> datetime | None:
        """Return the first wall time later than `after`; both are naive."""

    def describe(self) -> str: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WallClockSchedule(Schedule):
    """The instants of a rule's wall times in a time zone."""

    rule: WallClockRule
    dst_gap: DstGap = DstGap.AFTER
    dst_overlap: DstOverlap = DstOverlap.FIRST

    def _next(self, after: datetime) -> datetime | None:
        # Search from the start of the minute, so that its instants share a cache entry.
        found = self._next_cached(after.replace(second=0, microsecond=0))
        if found is not None and found <= after:
            return self._next_cached(after.replace(microsecond=0))
        return found

    def _next_cached(self, after: datetime) -> datetime | None:
        return next_instant(
            self.rule, self.timezone, self.dst_gap, self.dst_overlap, after
        )

    def most_runs_per_hour(self) -> int:
        return self.rule.most_per_hour

    def describe(self) -> str:
        return self.rule.describe()

    def note_for(self, occurrence: datetime) -> DstNote | None:
        """Return GAP if it replaces a wall time that does not exist that day.

        Return OVERLAP if its wall time occurs twice, the first and the second time.
        """
        zone = load_zone(self.timezone)
        gap = gap_ending_at(occurrence, zone)
        moves_to_end = (
            self.dst_gap is DstGap.AFTER and not self.rule.follows_elapsed_time
        )
        if gap is not None and moves_to_end:
            skipped = self.rule.next_wall(gap.wall_before - ONE_SECOND)
            if skipped is not None and skipped < gap.wall_after:
                return DstNote.GAP
        repeated = is_repeated(wall_at(occurrence, zone), zone)
        return DstNote.OVERLAP if repeated else None


# Many triggers share a rule, a zone and the minute in which they are claimed.
@lru_cache(maxsize=CACHED_OCCURRENCES)
def next_instant(
    rule: WallClockRule,
    timezone: str,
    dst_gap: DstGap,
    dst_overlap: DstOverlap,
    after: datetime,
) -> datetime | None:
    """Return the first instant later than `after` (UTC, whole seconds) that is due."""
    zone = load_zone(timezone)
    if rule.follows_elapsed_time:
        dst_gap, dst_overlap = DstGap.SKIP, DstOverlap.BOTH
    instants = (
        _next_of_fold(rule, zone, after, dst_gap, fold)
        for fold in _folds(dst_overlap, after, zone)
    )
    return min((found for found in instants if found is not None), default=None)


def _folds(dst_overlap: DstOverlap, after: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """Return the PEP 495 folds to search: the first (0), the second (1), or both."""
    if dst_overlap is DstOverlap.FIRST:
        return (0,)
    if dst_overlap is DstOverlap.SECOND:
        return (1,)
    # Only within an overlap can a fold 1 instant come before the next fold 0 instant.
    return (0, 1) if is_repeated(wall_at(after, zone), zone) else (0,)


def _next_of_fold(
    rule: WallClockRule, zone: ZoneInfo, after: datetime, dst_gap: DstGap, fold: int
) -> datetime | None:
    """Return the next due instant if repeated wall times count in one fold only."""
    wall = rule.next_wall(_last_wall_passed(after, zone, fold))
    while wall is not None:
        if not is_in_gap(wall, zone):
            return (wall - offset_of_wall(wall, zone, fold=fold)).replace(tzinfo=UTC)
        shift = shift_around_wall(wall, zone)
        if dst_gap is DstGap.AFTER:
            return shift.at
        wall = rule.next_wall(shift.wall_after - ONE_SECOND)
    return None


def _last_wall_passed(after: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """Return the wall time up to which all instants of this fold are past."""
    local = after.astimezone(zone)
    wall = local.replace(tzinfo=None, fold=0)
    if local.fold == fold or not is_repeated(wall, zone):
        return wall
    shift = shift_around_wall(wall, zone)
    if fold == 0:
        return shift.wall_before - ONE_SECOND
    return shift.wall_after - ONE_SECOND


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
