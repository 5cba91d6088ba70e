from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from triggers.schedules.base import Schedule
from triggers.schedules.wall_clock import (
    DstGap,
    DstOverlap,
    WallClockRule,
    WallClockSchedule,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """What all kinds of schedules are built from; all but the config is checked."""

    config: Mapping[str, object]
    cron_expression: str | None
    timezone: str
    start_at: datetime | None
    end_at: datetime | None
    anchor: datetime
    dst_gap: DstGap
    dst_overlap: DstOverlap

    def with_rule(self, rule: WallClockRule) -> WallClockSchedule:
        return WallClockSchedule(
            timezone=self.timezone,
            start_at=self.start_at,
            end_at=self.end_at,
            rule=rule,
            dst_gap=self.dst_gap,
            dst_overlap=self.dst_overlap,
        )


class BuildKind(Protocol):
    def __call__(self, spec: ScheduleSpec) -> Schedule:
        """Build one kind of schedule; raises InvalidSchedule."""
