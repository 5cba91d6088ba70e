from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triggers.schedule_builders import CREATED_AT, build, cron, utc
from triggers.schedules import DstNote, InvalidSchedule, occurrences, preview


def test_an_interval_counts_from_its_creation() -> None:
    schedule = build(
        "interval", {"interval_seconds": 90}, anchor=utc("2026-05-01 10:00")
    )

    due = occurrences(schedule, utc("2026-05-01 10:00"), limit=3)

    assert due == [
        utc("2026-05-01 10:01:30"),
        utc("2026-05-01 10:03:00"),
        utc("2026-05-01 10:04:30"),
    ]


def test_an_interval_counts_from_its_start_if_it_has_one() -> None:
    schedule = build(
        "interval", {"interval_seconds": 600}, start_at=utc("2026-05-01 10:07")
    )

    due = occurrences(schedule, utc("2026-04-01 00:00"), limit=2)

    assert due == [utc("2026-05-01 10:07"), utc("2026-05-01 10:17")]


@given(
    seconds=st.integers(1, 366 * 86400),
    later=st.timedeltas(timedelta(0), timedelta(days=50 * 365)),
)
def test_an_interval_never_drifts(seconds: int, later: timedelta) -> None:
    schedule = build("interval", {"interval_seconds": seconds})

    due = schedule.next_after(CREATED_AT + later)

    assert due is not None
    assert timedelta(0) < due - (CREATED_AT + later) <= timedelta(seconds=seconds)
    assert (due - CREATED_AT) % timedelta(seconds=seconds) == timedelta(0)


def test_a_daily_time_still_ahead_is_today() -> None:
    schedule = build("daily", {"time": "18:30"}, timezone="America/New_York")  # R388

    assert schedule.next_after(utc("2026-05-01 22:29:59")) == utc("2026-05-01 22:30")


def test_a_daily_time_that_has_passed_is_tomorrow() -> None:
    schedule = build("daily", {"time": "18:30:15"}, timezone="America/New_York")

    assert schedule.next_after(utc("2026-05-01 22:30:15")) == utc("2026-05-02 22:30:15")


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-05-04 08:59:59", "2026-05-04 09:00"),
        ("2026-05-04 09:00", "2026-05-11 09:00"),
        ("2026-05-05 00:00", "2026-05-11 09:00"),
        ("2026-05-10 23:59", "2026-05-11 09:00"),
    ],
)
def test_a_weekly_time_is_today_only_while_it_is_ahead(after: str, due: str) -> None:
    schedule = build("weekly", {"day": 0, "time": "09:00"})  # R389, D14

    assert schedule.next_after(utc(after)) == utc(due)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-05-01T09:00", "2026-05-01 07:00"),
        ("2026-05-01T09:00:30+00:00", "2026-05-01 09:00:30"),
        ("2026-05-01T09:00Z", "2026-05-01 09:00"),
        ("2026-03-29T02:30", "2026-03-29 01:00"),
        ("2026-10-25T02:30", "2026-10-25 00:30"),
        ("2026-10-25T02:30+01:00", "2026-10-25 01:30"),
    ],
)
def test_once_comes_due_exactly_once(at: str, due: str) -> None:
    schedule = build(
        "once",
        {"at": at},
        timezone="Europe/Berlin",
        dst_gap="skip",
        dst_overlap="both",
    )

    assert occurrences(schedule, CREATED_AT, limit=5) == [utc(due)]


def test_defaults_are_hourly_and_nine_on_monday() -> None:
    after = utc("2026-05-01 12:00")  # a Friday

    # R383, R384, R385
    assert build("interval").next_after(after) == utc("2026-05-01 13:00")
    assert build("daily").next_after(after) == utc("2026-05-02 09:00")
    assert build("weekly").next_after(after) == utc("2026-05-04 09:00")


def test_a_window_includes_its_start_and_its_end() -> None:
    schedule = cron(
        "0 * * * *",
        start_at=utc("2026-05-01 10:00"),
        end_at=utc("2026-05-01 12:00"),
    )

    due = occurrences(schedule, CREATED_AT, limit=10)

    assert [at.hour for at in due] == [10, 11, 12]
    assert schedule.next_after(utc("2026-05-01 12:00")) is None


@pytest.mark.parametrize(
    ("schedule_type", "config"),
    [
        ("cron", {"cron": "0 9 * * *"}),
        ("interval", {"interval_seconds": 7 * 24 * 3600}),
        ("daily", {"time": "09:00"}),
        ("weekly", {"day": 4, "time": "09:00"}),
        ("once", {"at": "2026-05-01T09:00"}),
        ("once", {"at": "2026-05-01T09:00Z"}),
    ],
)
def test_every_schedule_type_can_come_due_at_its_start_and_its_end(
    schedule_type: str, config: dict[str, object]
) -> None:
    at, tick = utc("2026-05-01 09:00"), timedelta(microseconds=1)

    first = build(schedule_type, config, start_at=at).next_after(CREATED_AT)
    last = build(schedule_type, config, anchor=at, end_at=at).next_after(at - tick)

    assert (first, last) == (at, at)
    assert build(schedule_type, config, anchor=at, end_at=at).next_after(at) is None


def test_a_start_within_a_second_counts_from_the_next_one() -> None:
    start_at = utc("2026-05-01 10:00") + timedelta(milliseconds=1)
    schedule = cron("* * * * * *", start_at=start_at)

    assert schedule.next_after(CREATED_AT) == utc("2026-05-01 10:00:01")


def test_an_instant_can_have_any_offset_and_fraction() -> None:
    after = datetime(
        2026, 5, 1, 11, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2))
    )

    due = cron("0 * * * *").next_after(after)

    assert due == utc("2026-05-01 10:00")
    assert due.tzinfo is utc("2026-05-01 10:00").tzinfo


def test_an_instant_without_a_time_zone_raises() -> None:
    with pytest.raises(ValueError, match="an instant needs a time zone"):
        cron("0 * * * *").next_after(datetime(2026, 5, 1))  # noqa: DTZ001


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("schedule_type", ["cron", "interval", "daily", "weekly"])
def test_the_calendar_ends_with_the_year_9999(schedule_type: str, zone: str) -> None:
    schedule = build(schedule_type, cron_expression="0 * * * *", timezone=zone)

    seen = preview(schedule, utc("9999-12-20 00:00"), 500)

    assert seen[-1].at < utc("9999-12-31 00:00")
    assert schedule.next_after(seen[-1].at) is None


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59", "9999-12-31T23:59Z"])
def test_a_single_time_beyond_the_calendar_never_comes_due(at: str, zone: str) -> None:
    assert preview(build("once", {"at": at}, timezone=zone), CREATED_AT) == []


@pytest.mark.parametrize(
    ("schedule_type", "config", "text"),
    [
        ("interval", {"interval_seconds": 1}, "Every second"),
        ("interval", {"interval_seconds": 90}, "Every 90 seconds"),
        ("interval", {"interval_seconds": 300}, "Every 5 minutes"),
        ("interval", {}, "Every hour"),
        ("interval", {"interval_seconds": 172_800}, "Every 2 days"),
        ("daily", {"time": "18:30"}, "Daily at 18:30"),
        ("daily", {"time": "18:30:05"}, "Daily at 18:30:05"),
        ("weekly", {"day": 6}, "Weekly on Sunday at 09:00"),
        ("once", {"at": "2026-05-01T09:00"}, "Once at 2026-05-01 09:00:00"),
        ("once", {"at": "2026-05-01T09:00Z"}, "Once at 2026-05-01 09:00:00 UTC"),
        ("cron", {"cron": "0 9 L * *"}, "Monthly on the last day at 9:00 AM"),
        ("cron", {"cron": " 0 9  * * 1"}, "Weekly on Monday at 9:00 AM"),
        ("cron", {"cron": "5 4 * * sun"}, "5 4 * * sun"),
        ("weekly", {"every": 2}, "Every 2 weeks on Monday at 09:00"),
    ],
)
def test_a_schedule_describes_itself(
    schedule_type: str, config: dict[str, object], text: str
) -> None:
    assert build(schedule_type, config).describe() == text  # R404


@pytest.mark.parametrize(
    ("expression", "note"),
    [
        ("*/45 * * * *", "minutes 0 and 45 of each hour, not every 45 minutes"),
        ("0 */5 * * *", "hours 0, 5, 10, 15 and 20 of each day, not every 5 hours"),
        ("0 8 */10 * *", "days 1, 11, 21 and 31 of each month, not every 10 days"),
        (
            "0 8 * * 1/2",
            "Sunday, Monday, Wednesday and Friday of each week, not every 2 days",
        ),
        (
            "0 0 13 * 5",
            "on the day of month and also on the day of week: either is enough",
        ),
    ],
)
def test_a_cron_schedule_describes_what_surprises(expression: str, note: str) -> None:
    assert cron(expression).describe() == f"{expression} ({note})"


@pytest.mark.parametrize("schedule_type", ["cron", "interval", "daily", "weekly"])
def test_equal_schedules_have_equal_hashes(schedule_type: str) -> None:
    first, second, other = (
        build(schedule_type, cron_expression="0 * * * *", timezone=timezone)
        for timezone in ("UTC", "UTC", "Asia/Tokyo")
    )

    assert len({first, second}) == 1
    assert len({first, other}) == 2


def test_a_preview_shows_local_time() -> None:
    schedule = build("daily", timezone="Asia/Kolkata")

    seen = preview(schedule, utc("2026-05-01 12:00"))  # R401

    assert [occurrence.at for occurrence in seen] == [
        utc(f"2026-05-0{day} 03:30") for day in range(2, 7)
    ]
    assert seen[0].local.isoformat() == "2026-05-02T09:00:00+05:30"
    assert seen[0].note is None


def test_a_preview_of_once_notes_the_gap() -> None:
    schedule = build("once", {"at": "2026-03-29T02:30"}, timezone="Europe/Berlin")

    seen = preview(schedule, CREATED_AT)

    assert [occurrence.note for occurrence in seen] == [DstNote.GAP]


def test_intervals_do_not_depend_on_local_time() -> None:
    schedule = build("interval", timezone="Europe/Berlin")

    seen = preview(schedule, utc("2026-10-24 23:30"), 3)

    assert [occurrence.note for occurrence in seen] == [None, None, None]


def test_occurrences_end_with_until() -> None:
    due = occurrences(
        cron("0 * * * *"),
        utc("2026-05-01 10:00"),
        utc("2026-05-01 12:00"),
        limit=10,
    )

    assert due == [utc("2026-05-01 11:00"), utc("2026-05-01 12:00")]


@pytest.mark.parametrize(
    ("start_at", "after", "due"),
    [
        # Counted from the creation on Thursday, 1 January 2026
        (None, "2026-01-01 00:00", ["2026-01-05 08:00", "2026-01-19 08:00"]),
        (None, "2026-01-05 08:00", ["2026-01-19 08:00", "2026-02-02 08:00"]),
        # Across the change of the clocks the local time stays 09:00.
        (None, "2026-03-17 00:00", ["2026-03-30 07:00", "2026-04-13 07:00"]),
        (
            "2026-01-12 08:00",
            "2026-01-01 00:00",
            ["2026-01-12 08:00", "2026-01-26 08:00"],
        ),
        (
            "2026-01-12 08:01",
            "2026-01-01 00:00",
            ["2026-01-19 08:00", "2026-02-02 08:00"],
        ),
    ],
)
def test_a_weekly_schedule_can_be_every_second_week(
    start_at: str | None, after: str, due: list[str]
) -> None:
    schedule = build(
        "weekly",
        {"day": 0, "time": "09:00", "every": 2},
        timezone="Europe/Berlin",
        start_at=utc(start_at) if start_at else None,
    )

    found = occurrences(schedule, utc(after), limit=len(due))

    assert found == [utc(at) for at in due]


@pytest.mark.parametrize("every", [0, 53, "2", True])
def test_the_weeks_must_be_a_number_of_weeks(every: object) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        build("weekly", {"every": every})

    assert caught.value.detail == "'every' must be a whole number from 1 to 52."


@pytest.mark.parametrize(
    ("schedule_type", "config", "runs"),
    [
        ("interval", {"interval_seconds": 7}, 515),
        ("interval", {"interval_seconds": 3600}, 1),
        ("interval", {"interval_seconds": 86_400}, 1),
        ("daily", {}, 1),
        ("weekly", {}, 1),
        ("once", {"at": "2026-05-01T09:00"}, 1),
        ("once", {"at": "2026-05-01T09:00Z"}, 1),
        ("cron", {"cron": "*/20 8 * * *"}, 3),
        ("cron", {"cron": "*/20 0,30 8 * * *"}, 6),
    ],
)
def test_a_schedule_knows_its_busiest_hour(
    schedule_type: str, config: dict[str, object], runs: int
) -> None:
    assert build(schedule_type, config).most_runs_per_hour() == runs
