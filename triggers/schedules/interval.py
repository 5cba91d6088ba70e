from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from triggers.schedules.base import Schedule
from triggers.schedules.spec import ConfigReader, ScheduleSpec

DEFAULT_SECONDS = 3600
LONGEST_SECONDS = 366 * 24 * 3600
UNITS = (("day", 24 * 3600), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSchedule(Schedule):
    """Every `interval_seconds`, counted from an anchor so that it does not drift."""

    anchor: datetime
    interval_seconds: int

    def _next(self, after: datetime) -> datetime | None:
        period = timedelta(seconds=self.interval_seconds)
        passed = (after - self.anchor) // period
        return self.anchor + (passed + 1) * period

    def most_runs_per_hour(self) -> int:
        return -(-3600 // self.interval_seconds)

    def describe(self) -> str:
        unit, count = next(
            (name, self.interval_seconds // seconds)
            for name, seconds in UNITS
            if self.interval_seconds % seconds == 0
        )
        return f"Every {unit}" if count == 1 else f"Every {count} {unit}s"


def build(spec: ScheduleSpec) -> Schedule:
    reader = ConfigReader(spec.config)
    interval_seconds = reader.integer(
        "interval_seconds", default=DEFAULT_SECONDS, low=1, high=LONGEST_SECONDS
    )
    reader.finish()
    return IntervalSchedule(
        timezone=spec.timezone,
        start_at=spec.start_at,
        end_at=spec.end_at,
        anchor=(spec.start_at or spec.anchor).astimezone(UTC),
        interval_seconds=interval_seconds,
    )
