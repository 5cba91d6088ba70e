from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from common.errors import Fault, InvalidInput, join_faults
from triggers.schedules.zones import load_zone

# Python's calendar has the years 1 to 9999. One day is left free at each end for UTC
# offsets and for jitter.
START_OF_TIME = datetime(1, 1, 2, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class InvalidSchedule(InvalidInput):
    """The schedule is not valid."""

    code = "invalid_schedule"

    @classmethod
    def from_faults(cls, faults: Sequence[Fault]) -> Self:
        detail = join_faults(faults, limit=None, with_pointers=False)
        return cls(detail, faults=faults)


class DstNote(StrEnum):
    """How a daylight saving change affects an occurrence."""

    GAP = "dst_gap"
    OVERLAP = "dst_overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(ABC):
    """When a trigger comes due: an immutable value that can be hashed and shared.

    The schedule has no occurrences before `start_at` or after `end_at`; both bounds
    are inclusive.
    """

    timezone: str
    start_at: datetime | None = None
    end_at: datetime | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first occurrence later than `instant`, in UTC; None if none is.

        Raises ValueError for an instant without a time zone.
        """
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        try:
            after = max(instant.astimezone(UTC), START_OF_TIME)
            if self.start_at is not None and after < self.start_at:
                after = self.start_at.astimezone(UTC) - timedelta(microseconds=1)
            found = self._next(after)
        except OverflowError:
            return None
        if found is None or found >= END_OF_TIME:
            return None
        return None if self.end_at and found > self.end_at else found

    @abstractmethod
    def _next(self, after: datetime) -> datetime | None:
        """Return the first occurrence later than `after` (UTC).

        Ignores `start_at` and `end_at`.
        """

    @abstractmethod
    def most_runs_per_hour(self) -> int:
        """Return the most occurrences within an hour, whatever hour that is."""

    @abstractmethod
    def describe(self) -> str:
        """Return a short description for people, such as "Daily at 09:00"."""

    def note_for(self, occurrence: datetime) -> DstNote | None:
        """Return how a daylight saving change affects the occurrence.

        None for schedules that do not depend on local time.
        """
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One instant at which a schedule comes due, in UTC and in the schedule's zone."""

    at: datetime
    local: datetime
    note: DstNote | None


def occurrences(
    schedule: Schedule, after: datetime, until: datetime | None = None, *, limit: int
) -> list[datetime]:
    """Return at most `limit` occurrences later than `after`, up to and with `until`."""
    found: list[datetime] = []
    while len(found) < limit:
        at = schedule.next_after(found[-1] if found else after)
        if at is None or (until is not None and at > until):
            break
        found.append(at)
    return found


def preview(schedule: Schedule, after: datetime, count: int = 5) -> list[Occurrence]:
    zone = load_zone(schedule.timezone)
    return [
        Occurrence(at=at, local=at.astimezone(zone), note=schedule.note_for(at))
        for at in occurrences(schedule, after, limit=count)
    ]
