from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triggers.cron_oracle import due_instants, follows_elapsed_time
from tests.triggers.schedule_builders import ClockOptions, build, cron, utc
from triggers.schedules import occurrences, preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The next due instants around one DST change."""

    name: str
    expression: str
    timezone: str
    after: str
    due: list[str]
    dst_gap: str = "after"
    dst_overlap: str = "first"

    @property
    def options(self) -> ClockOptions:
        return {"dst_gap": self.dst_gap, "dst_overlap": self.dst_overlap}


def load_cases() -> list[Case]:
    path = Path(__file__).with_name("cron_cases.json")
    return [Case(**row) for row in json.loads(path.read_text())]


CASES = load_cases()
# A date on which, or on the day before which, the zone's offset changes.
CHANGES = [
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/Dublin", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Asuncion", "2024-10-06"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2024-11-01"),
    ("Africa/Casablanca", "2025-02-23"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Pyongyang", "2018-05-05"),
    ("Asia/Tehran", "2021-03-22"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Chatham", "2026-09-27"),
    ("Pacific/Kwajalein", "1969-10-01"),
]
SECONDS = ["", "", "30 ", "*/30 "]
MINUTES = ["*", "*/5", "*/15", "0", "30", "45", "1,31", "0-10/3", "17,42", "0-59/20"]
HOURS = ["*", "*/2", "0", "1", "2", "3", "23", "0-4", "0-20/2", "22-23", "0-23"]
DATES = ["* * *", "* * 0", "*/2 * *", "L * *", "1 * 5-7", "* * 1#1,sat"]

expressions = st.builds(
    "{}{} {} {}".format,
    st.sampled_from(SECONDS),
    st.sampled_from(MINUTES),
    st.sampled_from(HOURS),
    st.sampled_from(DATES),
)
fixed_expressions = expressions.filter(lambda text: not follows_elapsed_time(text))
changes = st.sampled_from(CHANGES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_schedule_around_a_dst_change(case: Case) -> None:
    schedule = cron(case.expression, timezone=case.timezone, **case.options)

    due = occurrences(schedule, read(case.after), limit=len(case.due))

    assert due == [read(at) for at in case.due]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_oracle_agrees_with_the_cases(case: Case) -> None:
    due = due_instants(
        case.expression,
        case.timezone,
        after=read(case.after),
        until=read(case.due[-1]),
        **case.options,
    )

    assert list(due) == [read(at) for at in case.due]


@settings(max_examples=60, deadline=None)
@given(
    expression=expressions,
    change=changes,
    dst_gap=st.sampled_from(["after", "skip"]),
    dst_overlap=st.sampled_from(["first", "second", "both"]),
)
def test_a_search_finds_every_instant_of_the_oracle_with_its_note(
    expression: str, change: tuple[str, str], dst_gap: str, dst_overlap: str
) -> None:
    timezone, start, end = change[0], *around(change)
    options: ClockOptions = {"dst_gap": dst_gap, "dst_overlap": dst_overlap}
    schedule = cron(expression, timezone=timezone, **options)

    due = occurrences(schedule, start, end, limit=10_000)

    noted = [(at, schedule.note_for(at)) for at in due]
    walked = due_instants(expression, timezone, start, end, **options)
    assert noted == list(walked.items())


@settings(max_examples=50, deadline=None)
@given(expression=expressions, change=changes, minute=st.integers(0, 48 * 60))
def test_the_result_does_not_depend_on_the_start_of_a_search(
    expression: str, change: tuple[str, str], minute: int
) -> None:
    start, end = around(change)
    middle = start + timedelta(minutes=minute, seconds=30)
    schedule = cron(expression, timezone=change[0])

    due = occurrences(schedule, middle, end, limit=10_000)

    every = occurrences(schedule, start, end, limit=10_000)
    assert due == [at for at in every if at > middle]


@settings(max_examples=50, deadline=None)
@given(
    expression=fixed_expressions,
    change=changes,
    dst_overlap=st.sampled_from(["first", "second"]),
)
def test_a_fixed_wall_time_comes_due_once(
    expression: str, change: tuple[str, str], dst_overlap: str
) -> None:
    schedule = cron(expression, timezone=change[0], dst_overlap=dst_overlap)

    due = occurrences(schedule, *around(change), limit=10_000)

    zone = ZoneInfo(change[0])
    walls = [at.astimezone(zone).replace(tzinfo=None) for at in due]
    assert len(set(walls)) == len(walls)
    assert due == sorted(set(due))


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({}, ["2026-03-29 01:00", "2026-10-25 00:30"]),
        ({"dst_gap": "skip"}, ["2026-03-30 00:30", "2026-10-25 00:30"]),
        ({"dst_overlap": "second"}, ["2026-03-29 01:00", "2026-10-25 01:30"]),
    ],
)
def test_a_daily_schedule_follows_the_same_rules(
    options: ClockOptions, due: list[str]
) -> None:
    schedule = build("daily", {"time": "02:30"}, timezone="Europe/Berlin", **options)
    eves = [utc("2026-03-28 12:00"), utc("2026-10-24 12:00")]

    assert [schedule.next_after(eve) for eve in eves] == [utc(at) for at in due]


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({}, ["2026-03-29 01:00", "2026-10-25 00:30"]),
        ({"dst_gap": "skip"}, ["2026-04-05 00:30", "2026-10-25 00:30"]),
        ({"dst_overlap": "second"}, ["2026-03-29 01:00", "2026-10-25 01:30"]),
    ],
)
def test_a_weekly_schedule_follows_the_same_rules(
    options: ClockOptions, due: list[str]
) -> None:
    config = {"day": 6, "time": "02:30"}
    schedule = build("weekly", config, timezone="Europe/Berlin", **options)
    eves = [utc("2026-03-28 12:00"), utc("2026-10-24 12:00")]

    assert [schedule.next_after(eve) for eve in eves] == [utc(at) for at in due]


def test_a_repeated_daily_time_can_come_due_twice() -> None:
    schedule = build(
        "daily", {"time": "02:30"}, timezone="Europe/Berlin", dst_overlap="both"
    )

    due = occurrences(schedule, utc("2026-10-24 12:00"), limit=3)

    assert due == [
        utc("2026-10-25 00:30"),
        utc("2026-10-25 01:30"),
        utc("2026-10-26 01:30"),
    ]


@pytest.mark.parametrize(
    ("expression", "options", "notes"),
    [
        ("30 2 * * *", {}, [None, "dst_gap", None]),
        ("0 3 * * *", {}, [None, None, None]),
        ("30 2 * * *", {"dst_gap": "skip"}, [None, None, None]),
        ("0 */3 * * *", {}, [None, None, None]),
    ],
)
def test_a_preview_notes_a_nonexistent_time(
    expression: str, options: ClockOptions, notes: list[str | None]
) -> None:
    schedule = cron(expression, timezone="Europe/Berlin", **options)

    seen = preview(schedule, utc("2026-03-28 00:00"), 3)

    assert [occurrence.note for occurrence in seen] == notes


@pytest.mark.parametrize(
    ("expression", "notes"),
    [
        ("30 2 * * *", ["dst_overlap", None, None]),
        ("30 * * * *", ["dst_overlap", "dst_overlap", None]),
    ],
)
def test_a_preview_notes_a_repeated_time(
    expression: str, notes: list[str | None]
) -> None:
    schedule = cron(expression, timezone="Europe/Berlin")

    seen = preview(schedule, utc("2026-10-25 00:00"), 3)

    assert [occurrence.note for occurrence in seen] == notes


def test_a_long_gap_is_skipped_in_one_step() -> None:
    schedule = cron("* * * * * *", timezone="Pacific/Apia")

    due = occurrences(schedule, utc("2011-12-30 09:59:58"), limit=3)

    assert due == [
        utc(f"2011-12-30 {at}") for at in ("09:59:59", "10:00:00", "10:00:01")
    ]


def read(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def around(change: tuple[str, str]) -> tuple[datetime, datetime]:
    midnight = datetime.fromisoformat(change[1]).replace(tzinfo=UTC)
    return midnight - timedelta(hours=24), midnight + timedelta(hours=36)
