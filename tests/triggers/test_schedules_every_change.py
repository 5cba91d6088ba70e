"""Schedules at every offset change of every zone; `make chaos` tests more of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tests.triggers.clock_changes import (
    ONE_SECOND,
    YEARS,
    ClockChange,
    changes_by_year,
    changes_of,
)
from tests.triggers.clock_trials import OPTIONS, Trial, trials
from tests.triggers.cron_oracle import due_instants, follows_elapsed_time, matches_wall
from tests.triggers.schedule_builders import build, cron
from triggers.schedules import occurrences
from triggers.schedules.zones import zone_names

pytestmark = pytest.mark.chaos

Noted = list[tuple[datetime, str | None]]
CLOSE = timedelta(days=15)
EXPRESSIONS = ["30 0-3 * * *", "15 */6 * * *", "0,45 1,23 * * 1-5"]


@pytest.mark.parametrize("year", YEARS)
def test_a_walk_through_every_minute_finds_the_same_instants(year: int) -> None:
    for trial in trials(year):
        due = trial.search()

        noted: Noted = [(at, trial.schedule.note_for(at)) for at in due]
        assert noted == list(trial.walk().items()), trial
        assert all(earlier < later for earlier, later in pairwise(due)), trial
        assert shows_its_wall_times(trial, noted), trial
        assert starts_anywhere(trial, due), trial


def shows_its_wall_times(trial: Trial, noted: Noted) -> bool:
    """Return whether the wall times match the expression, fixed ones once."""
    zone = ZoneInfo(trial.timezone)
    walls = [at.astimezone(zone).replace(tzinfo=None, fold=0) for at, _ in noted]
    may_repeat = (
        follows_elapsed_time(trial.expression) or trial.options["dst_overlap"] == "both"
    )
    return (may_repeat or len(set(walls)) == len(walls)) and all(
        note == "dst_gap" or matches_wall(trial.expression, wall)
        for wall, (_, note) in zip(walls, noted, strict=True)
    )


def starts_anywhere(trial: Trial, due: list[datetime]) -> bool:
    """Return whether searches from within the change and from before it agree."""
    change = trial.change
    for start in (change.at - ONE_SECOND, change.at, change.at + change.size / 2):
        found = trial.schedule.next_after(start)
        expected = next((at for at in due if at > start), None)
        is_beyond = found is None or found > trial.end
        if found != expected and not (expected is None and is_beyond):
            return False
    return True


def test_a_single_wall_time_comes_due_once_at_every_change() -> None:
    for timezone, change in every_change():
        middle = change.wall_start + change.size / 2
        config = {"at": middle.isoformat()}
        schedule = build("once", config, timezone=timezone, dst_overlap="both")

        due = occurrences(schedule, change.at - timedelta(days=2), limit=2)

        is_gap = change.after > change.before
        shown_at = change.at.replace(tzinfo=None) if is_gap else middle - change.before
        assert [at.replace(tzinfo=None) for at in due] == [shown_at], change


def test_an_interval_ignores_dst_changes() -> None:
    for timezone, change in every_change():
        anchor = change.at - timedelta(hours=7, seconds=1)
        config = {"interval_seconds": 5 * 3600}
        schedule = build("interval", config, timezone=timezone, anchor=anchor)

        due = occurrences(schedule, anchor, limit=3)

        assert due == [anchor + timedelta(hours=hours) for hours in (5, 10, 15)]
        assert [schedule.note_for(at) for at in due] == [None] * 3


def test_close_dst_changes_are_each_applied() -> None:
    for number, (timezone, first, second) in enumerate(close_changes()):
        start, end = first.at - timedelta(days=1), second.at + timedelta(days=1)
        options = OPTIONS[number % len(OPTIONS)]
        for expression in EXPRESSIONS:
            schedule = cron(expression, timezone=timezone, **options)

            due = occurrences(schedule, start, end, limit=1000)

            walked = due_instants(expression, timezone, start, end, **options)
            assert due == list(walked), (timezone, expression)


def test_every_change_falls_on_a_whole_minute() -> None:
    for timezone, change in every_change():
        moments = (change.at.replace(tzinfo=None), change.wall_start, change.wall_end)

        assert [moment.second for moment in moments] == [0, 0, 0], timezone


def every_change() -> list[tuple[str, ClockChange]]:
    return [found for year in YEARS for found in changes_by_year()[year]]


def close_changes() -> list[tuple[str, ClockChange, ClockChange]]:
    pairs = {
        (first, second): timezone
        for timezone in sorted(zone_names())
        for first, second in pairwise(changes_of(timezone))
        if second.at - first.at < CLOSE
    }
    return [(timezone, *pair) for pair, timezone in sorted(pairs.items())]
