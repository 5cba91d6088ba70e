from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from triggers.schedules import Schedule, build_schedule

CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class ClockOptions(TypedDict, total=False):
    dst_gap: str
    dst_overlap: str


class Options(ClockOptions, total=False):
    start_at: datetime | None
    end_at: datetime | None
    is_stored: bool


def build(
    schedule_type: str,
    config: Mapping[str, object] | None = None,
    *,
    cron_expression: str | None = None,
    timezone: str = "UTC",
    anchor: datetime = CREATED_AT,
    **options: Unpack[Options],
) -> Schedule:
    """Build a schedule; the defaults are UTC and a creation at the start of 2026."""
    return build_schedule(
        schedule_type,
        config=config or {},
        cron_expression=cron_expression,
        timezone=timezone,
        anchor=anchor,
        **options,
    )


def cron(
    expression: str, *, timezone: str = "UTC", **options: Unpack[Options]
) -> Schedule:
    return build("cron", cron_expression=expression, timezone=timezone, **options)


def utc(text: str) -> datetime:
    """Parse an instant such as `2026-03-29 01:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
