from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from triggers.schedules.base import Schedule
from triggers.schedules.spec import ConfigReader, ScheduleSpec
from triggers.schedules.wall_clock import DstGap, DstOverlap

LONGEST_TEXT = 40
NEVER_USED = datetime(1970, 1, 1, tzinfo=UTC)  # returned together with a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceSchedule(Schedule):
    """A single instant."""

    at: datetime

    def _next(self, after: datetime) -> datetime | None:
        return self.at if self.at > after else None

    def most_runs_per_hour(self) -> int:
        return 1

    def describe(self) -> str:
        return f"Once at {self.at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceRule:
    """A single wall time."""

    at: datetime

    @property
    def follows_elapsed_time(self) -> bool:
        return False

    @property
    def most_per_hour(self) -> int:
        return 1

    def next_wall(self, after: datetime) -> datetime | None:
        return self.at if self.at > after else None

    def describe(self) -> str:
        return f"Once at {self.at:%Y-%m-%d %H:%M:%S}"


def build(spec: ScheduleSpec) -> Schedule:
    """Build a schedule for one instant, or for a wall time if `at` has no offset.

    It always comes due exactly once. So `dst_gap` and `dst_overlap` do not apply: in a
    gap it comes due after the gap, in an overlap the first time.
    """
    reader = ConfigReader(spec.config)
    at = _read_instant(reader, "at")
    reader.finish()
    if at.tzinfo is None:
        spec = replace(spec, dst_gap=DstGap.AFTER, dst_overlap=DstOverlap.FIRST)
        return spec.with_rule(OnceRule(at=at))
    return OnceSchedule(
        timezone=spec.timezone, start_at=spec.start_at, end_at=spec.end_at, at=at
    )


def _read_instant(reader: ConfigReader, key: str) -> datetime:
    """Return the date and time in whole seconds; naive if the text has no offset."""
    value = reader.get(key)
    try:
        if isinstance(value, str) and len(value) <= LONGEST_TEXT:
            at = datetime.fromisoformat(value).replace(microsecond=0)
            return at if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    reader.add_fault(
        key, f"'{key}' must be a date and time such as '2030-01-31T09:00'."
    )
    return NEVER_USED
