from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Protocol

import re2

from common.errors import Fault, clean_text, json_pointer
from triggers.schedules.base import InvalidSchedule, Schedule
from triggers.schedules.wall_clock import (
    DstGap,
    DstOverlap,
    WallClockRule,
    WallClockSchedule,
)

LONGEST_NAME = 100
TIME_OF_DAY = re2.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


class ConfigReader:
    """Reads a schedule_config key by key and collects its faults.

    A missing key yields its default, an invalid value its default and a fault.
    `finish` raises InvalidSchedule with all faults, and for keys that were not read.
    """

    def __init__(self, config: object) -> None:
        self._config: Mapping[object, object] = {}
        self._known: list[str] = []
        self._faults: list[Fault] = []
        if isinstance(config, Mapping):
            self._config = config
        else:
            detail = "The config must be an object."
            self._faults.append(Fault("/schedule_config", detail))

    def get(self, key: str) -> object:
        self._known.append(key)
        return self._config.get(key)

    def add_fault(self, key: str, detail: str) -> None:
        self._faults.append(Fault(json_pointer("schedule_config", key), detail))

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        value = self.get(key)
        if value is None:
            return default
        if type(value) is int and low <= value <= high:  # isinstance() accepts True
            return value
        self.add_fault(key, f"'{key}' must be a whole number from {low} to {high}.")
        return default

    def time_of_day(self, key: str, *, default: time) -> time:
        value = self.get(key)
        if value is None:
            return default
        # re2 raises on lone surrogates, which JSON can hold.
        if isinstance(value, str) and value.isascii() and TIME_OF_DAY.fullmatch(value):
            return time.fromisoformat(value)
        self.add_fault(key, f"'{key}' must be a time of day such as '09:00'.")
        return default

    def finish(self) -> None:
        """Raise InvalidSchedule if a value was invalid or a key is unknown."""
        known = ", ".join(self._known)
        for key in self._config:
            if key not in self._known:
                name = clean_text(str(key), limit=LONGEST_NAME)
                self.add_fault(
                    name, f"Unknown key '{name}'; the known keys are: {known}."
                )
        if self._faults:
            raise InvalidSchedule.from_faults(self._faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpec:
    """The input of every schedule type; all fields but `config` are validated.

    A stored schedule was valid when it was saved, perhaps by an earlier release.
    """

    config: Mapping[str, object]
    cron_expression: str | None
    timezone: str
    start_at: datetime | None
    end_at: datetime | None
    anchor: datetime
    dst_gap: DstGap
    dst_overlap: DstOverlap
    is_stored: bool = False

    def with_rule(self, rule: WallClockRule) -> WallClockSchedule:
        return WallClockSchedule(
            timezone=self.timezone,
            start_at=self.start_at,
            end_at=self.end_at,
            rule=rule,
            dst_gap=self.dst_gap,
            dst_overlap=self.dst_overlap,
        )


class ScheduleBuilder(Protocol):
    def __call__(self, spec: ScheduleSpec) -> Schedule:
        """Build a schedule of one type; raise InvalidSchedule if the config is not."""
