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
from triggers.schedules.cron import SHORTCUTS, next_runs, validate_cron
from triggers.schedules.daily import DEFAULT_TIME
from triggers.schedules.interval import DEFAULT_SECONDS
from triggers.schedules.presets import CronPreset, build_cron, get_preset, list_presets
from triggers.schedules.weekly import DEFAULT_DAY

__all__ = [
    "DEFAULT_DAY",
    "DEFAULT_SECONDS",
    "DEFAULT_TIME",
    "SHORTCUTS",
    "CronPreset",
    "DstNote",
    "InvalidSchedule",
    "Occurrence",
    "Schedule",
    "build_cron",
    "build_schedule",
    "get_preset",
    "list_presets",
    "next_runs",
    "occurrences",
    "preview",
    "validate_cron",
]
