from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from tests.triggers.schedule_builders import CREATED_AT, build, utc
from triggers.schedules import InvalidSchedule, build_schedule

SECONDS = "'interval_seconds' must be a whole number from 1 to 31622400."
TIME = "'time' must be a time of day such as '09:00'."
DAY = "'day' must be a whole number from 0 to 6."
AT = "'at' must be a date and time such as '2030-01-31T09:00'."
FORM = "; write an IANA name of the form Area/City."
ZONE = "The time zone must be an IANA name such as 'Europe/Berlin'."


def faults_of(schedule_type: str, **fields: Any) -> list[tuple[str, str]]:
    """Return the faults; fields can have any JSON type."""
    settings: dict[str, Any] = {
        "config": {},
        "cron_expression": None,
        "timezone": "UTC",
        "anchor": CREATED_AT,
    }
    with pytest.raises(InvalidSchedule) as caught:
        build_schedule(schedule_type, **{**settings, **fields})
    return [(fault.pointer, fault.detail) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("schedule_type", "config", "key", "detail"),
    [
        ("interval", {"interval_seconds": 0}, "interval_seconds", SECONDS),
        ("interval", {"interval_seconds": 31_622_401}, "interval_seconds", SECONDS),
        ("interval", {"interval_seconds": True}, "interval_seconds", SECONDS),
        ("interval", {"interval_seconds": 60.0}, "interval_seconds", SECONDS),
        ("interval", {"interval_seconds": "60"}, "interval_seconds", SECONDS),
        ("daily", {"time": "24:00"}, "time", TIME),
        ("daily", {"time": "9:00"}, "time", TIME),
        ("daily", {"time": "09:00+02:00"}, "time", TIME),
        ("daily", {"time": "\ud800"}, "time", TIME),
        ("daily", {"time": 900}, "time", TIME),
        ("weekly", {"day": 7}, "day", DAY),
        ("weekly", {"day": "monday"}, "day", DAY),
        ("once", {}, "at", AT),
        ("once", {"at": "tomorrow"}, "at", AT),
        ("once", {"at": "2026-02-30T09:00"}, "at", AT),
        ("once", {"at": "0001-01-01T00:00+14:00"}, "at", AT),
        ("once", {"at": "\ud800"}, "at", AT),
        ("once", {"at": "2026-05-01T09:00" + "0" * 99}, "at", AT),
        ("daily", {"hour": 9}, "hour", "Unknown key 'hour'; the known keys are: time."),
        ("once", {"a/~": 9, "at": "2026-05-01T09:00"}, "a~1~0",
         "Unknown key 'a/~'; the known keys are: at."),
        ("daily", {"\ud800": 9}, "?", "Unknown key '?'; the known keys are: time."),
        ("cron", {"cron": 5}, "cron", "The cron expression must be a string."),
    ],
)  # fmt: skip
def test_an_invalid_config_value_is_rejected_by_key(
    schedule_type: str, config: dict[str, object], key: str, detail: str
) -> None:
    assert faults_of(schedule_type, config=config) == [
        (f"/schedule_config/{key}", detail)
    ]


@pytest.mark.parametrize(
    ("timezone", "detail"),
    [
        (
            "Europe/Berln",
            "Unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        ("Mars", f"Unknown time zone 'Mars'{FORM}"),
        ("", f"Unknown time zone ''{FORM}"),
        ("../../etc/passwd", f"Unknown time zone '../../etc/passwd'{FORM}"),
        ("localtime", f"Unknown time zone 'localtime'{FORM}"),
        ("\0", f"Unknown time zone '\\x00'{FORM}"),
        ("x" * 65, ZONE),
        (None, ZONE),
    ],
)
def test_an_unknown_time_zone_is_rejected(timezone: object, detail: str) -> None:
    assert faults_of("daily", timezone=timezone) == [("/timezone", detail)]  # R153


@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({"dst_gap": "before"}, "/dst_gap", "'dst_gap' must be one of: after, skip."),
        ({"dst_overlap": None}, "/dst_overlap",
         "'dst_overlap' must be one of: first, second, both."),
        ({"start_at": datetime(2026, 5, 1)}, "/start_at",  # noqa: DTZ001
         "'start_at' needs a UTC offset."),
        ({"end_at": datetime.fromisoformat("9999-12-31T23:00-12:00")}, "/end_at",
         "'end_at' is out of range."),
        ({"start_at": utc("2026-05-02 00:00"), "end_at": utc("2026-05-02 00:00")},
         "/end_at", "'end_at' must be later than 'start_at'."),
        ({"config": ["time"]}, "/schedule_config", "The config must be an object."),
    ],
)  # fmt: skip
def test_an_invalid_field_is_rejected(
    fields: dict[str, object], pointer: str, detail: str
) -> None:
    assert faults_of("daily", **fields) == [(pointer, detail)]


@pytest.mark.parametrize("schedule_type", ["yearly", "", None])
def test_an_unknown_schedule_type_is_rejected(schedule_type: Any) -> None:
    detail = "The schedule type must be one of: cron, interval, daily, weekly, once."

    assert faults_of(schedule_type) == [("/schedule_type", detail)]


def test_the_schedule_type_is_case_insensitive() -> None:
    assert build("DAILY") == build("daily")  # D2


def test_an_expression_in_the_config_must_be_the_same() -> None:
    faults = faults_of(
        "cron", config={"cron": "0 1 * * *"}, cron_expression="0 2 * * *"
    )

    detail = "'cron' differs from 'cron_expression'; give one of them."
    assert faults == [("/schedule_config/cron", detail)]


def test_other_schedule_types_ignore_the_expression() -> None:
    assert build("daily", cron_expression="nonsense") == build("daily")


def test_all_faults_are_raised_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        build("weekly", {"day": 9, "time": "?"}, timezone="Mars", dst_gap="x")

    assert caught.value.code == "invalid_schedule"
    assert [fault.pointer for fault in caught.value.faults] == [
        "/timezone",
        "/dst_gap",
        "/schedule_config/day",
        "/schedule_config/time",
    ]
    assert caught.value.detail == "; ".join(f.detail for f in caught.value.faults)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)
keys = st.sampled_from(["cron", "interval_seconds", "time", "day", "at"]) | st.text()


@given(
    schedule_type=st.sampled_from(["cron", "interval", "daily", "weekly", "once"]),
    config=st.dictionaries(keys, json_values, max_size=3),
    timezone=st.just("Europe/Berlin") | st.text(),
)
def test_any_json_builds_or_is_rejected(
    schedule_type: str, config: Mapping[str, object], timezone: str
) -> None:
    with suppress(InvalidSchedule):
        build(schedule_type, config, timezone=timezone).next_after(CREATED_AT)
