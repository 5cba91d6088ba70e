from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from common.errors import Fault, InvalidInput


class InvalidSchedule(InvalidInput):
    """The schedule is not valid."""

    code = "invalid_schedule"

    @classmethod
    def from_faults(cls, faults: Sequence[Fault]) -> Self:
        return cls("; ".join(fault.detail for fault in faults), faults=faults)


# The calendar has the years 1 to 9999. At each end a day is left for zones apart from
# UTC, and for jitter.
START_OF_TIME = datetime(1, 1, 2, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


class DstNote(StrEnum):
    """What a change of the clocks has to do with an occurrence."""

    GAP = "dst_gap"
    OVERLAP = "dst_overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(ABC):
    """When a trigger comes due: an immutable value that can be hashed and shared.

    Occurrences before `start_at` or after `end_at` do not count; one exactly at
    either does.
    """

    timezone: str
    start_at: datetime | None = None
    end_at: datetime | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first occurrence later than `instant`, in UTC, if there is one.

        Raises ValueError for an instant without a time zone.
        """
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        try:
            after = max(instant.astimezone(UTC), START_OF_TIME)
            following = self._next(self._not_before_start(after))
        except OverflowError:
            return None
        if following is None or following >= END_OF_TIME:
            return None
        return None if self.end_at and following > self.end_at else following

    def _not_before_start(self, after: datetime) -> datetime:
        if self.start_at is None or after >= self.start_at:
            return after
        return self.start_at.astimezone(UTC) - timedelta(microseconds=1)

    @abstractmethod
    def _next(self, after: datetime) -> datetime | None:
        """Return the first occurrence later than `after` (UTC), window aside."""

    @abstractmethod
    def describe(self) -> str:
        """Say in plain words when the schedule comes due."""

    def note_for(self, occurrence: datetime) -> DstNote | None:
        """Tell whether a change of the clocks moved or repeats the occurrence's hour.

        None for schedules that do not go by a clock on the wall.
        """
        return None
