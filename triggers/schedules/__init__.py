"""Schedules as plain values: they compute when a trigger comes due next.

`build_schedule` validates a trigger's fields and returns a `Schedule`. Preview,
catch-up, backfill and ledger all use its pure function `next_after`.
"""

from __future__ import annotations

from triggers.schedules.base import (
    DstNote,
    InvalidSchedule,
    Occurrence,
    Schedule,
    occurrences,
    preview,
)
from triggers.schedules.build import build_schedule
from triggers.schedules.cron import (
    describe_expression,
    earliest,
    find_dialect,
    next_runs,
    validate_cron,
)
from triggers.schedules.cron_reading import CronText, Dialect, end_of_year
from triggers.schedules.cron_rule import SHORTCUTS
from triggers.schedules.daily import DEFAULT_TIME
from triggers.schedules.future import find_no_run
from triggers.schedules.interval import DEFAULT_SECONDS
from triggers.schedules.presets import CronPreset, build_cron, get_preset, list_presets
from triggers.schedules.weekly import DEFAULT_DAY

__all__ = [
    "DEFAULT_DAY",
    "DEFAULT_SECONDS",
    "DEFAULT_TIME",
    "SHORTCUTS",
    "CronPreset",
    "CronText",
    "Dialect",
    "DstNote",
    "InvalidSchedule",
    "Occurrence",
    "Schedule",
    "build_cron",
    "build_schedule",
    "describe_expression",
    "earliest",
    "end_of_year",
    "find_dialect",
    "find_no_run",
    "get_preset",
    "list_presets",
    "next_runs",
    "occurrences",
    "preview",
    "validate_cron",
]
