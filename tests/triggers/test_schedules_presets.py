from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.triggers.cron_oracle import matches_wall
from tests.triggers.schedule_builders import cron, utc
from triggers.schedules import (
    CronPreset,
    DstNote,
    build_cron,
    get_preset,
    list_presets,
    next_runs,
    occurrences,
)

PRESETS = [  # R402
    ("every_minute", "* * * * *", "Every minute"),
    ("every_5_minutes", "*/5 * * * *", "Every 5 minutes"),
    ("every_15_minutes", "*/15 * * * *", "Every 15 minutes"),
    ("every_30_minutes", "*/30 * * * *", "Every 30 minutes"),
    ("every_hour", "0 * * * *", "Every hour"),
    ("every_2_hours", "0 */2 * * *", "Every 2 hours"),
    ("every_6_hours", "0 */6 * * *", "Every 6 hours"),
    ("every_12_hours", "0 */12 * * *", "Every 12 hours"),
    ("daily_midnight", "0 0 * * *", "Daily at midnight"),
    ("daily_9am", "0 9 * * *", "Daily at 9:00 AM"),
    ("daily_6pm", "0 18 * * *", "Daily at 6:00 PM"),
    ("weekly_monday", "0 9 * * 1", "Weekly on Monday at 9:00 AM"),
    ("weekly_friday", "0 17 * * 5", "Weekly on Friday at 5:00 PM"),
    ("monthly_first", "0 9 1 * *", "Monthly on the 1st at 9:00 AM"),
    ("monthly_last", "0 9 L * *", "Monthly on the last day at 9:00 AM"),
    ("quarterly", "0 9 1 1,4,7,10 *", "Quarterly on the 1st at 9:00 AM"),
]


def test_the_presets_are_listed_in_order() -> None:
    listed = list_presets()  # R403

    assert [(p.name, p.cron, p.description) for p in listed] == PRESETS


@pytest.mark.parametrize(
    "timezone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("preset", list_presets(), ids=lambda preset: preset.name)
def test_a_preset_matches_the_oracle_for_five_years_or_ten_thousand_runs(
    preset: CronPreset, timezone: str
) -> None:
    schedule, zone = cron(preset.cron, timezone=timezone), ZoneInfo(timezone)
    start, end = utc("2014-01-01 00:00"), utc("2019-01-01 00:00")

    runs = occurrences(schedule, start, end, limit=10_000)

    others = [
        schedule.note_for(at)
        for at in runs
        if not matches_wall(preset.cron, at.astimezone(zone))
    ]
    assert all(earlier < later for earlier, later in pairwise(runs))
    assert set(others) <= {DstNote.GAP}


def test_every_preset_builds_a_schedule_with_its_description() -> None:
    texts = [cron(preset.cron).describe() for preset in list_presets()]

    assert texts == [description for _, _, description in PRESETS]


def test_a_preset_is_found_by_its_name() -> None:
    preset = get_preset("monthly_last")

    assert preset is not None
    assert preset.cron == "0 9 L * *"
    assert get_preset("every_blue_moon") is None


def test_an_expression_is_built_from_its_parts() -> None:
    assert build_cron() == "* * * * *"  # R405
    assert build_cron("0", "9", "1", "*/3", "1-5") == "0 9 1 */3 1-5"
    assert build_cron(weekday="5") == "* * * * 5"


def test_next_runs_are_in_utc() -> None:
    runs = next_runs("0 9 L * *", 3, after=utc("2026-01-31 09:00"))  # R407, R408

    assert runs == [
        utc("2026-02-28 09:00"),
        utc("2026-03-31 09:00"),
        utc("2026-04-30 09:00"),
    ]


@time_machine.travel(datetime(2026, 5, 1, 12, tzinfo=UTC), tick=False)
def test_the_default_is_the_next_five_runs() -> None:
    assert next_runs("@hourly") == [
        utc(f"2026-05-01 {hour}:00") for hour in range(13, 18)
    ]


def test_an_invalid_expression_has_no_runs() -> None:
    assert next_runs("0 0 30 2 *") == []
