"""Refused cron texts: the message names what was seen and what to write instead."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triggers.cron_oracle import matches_wall
from tests.triggers.schedule_builders import CREATED_AT, build, cron, utc
from triggers.schedules import InvalidSchedule, Schedule, occurrences, validate_cron
from triggers.schedules.cron_rule import parse_cron
from triggers.schedules.wall_clock import WallClockSchedule

WRITTEN = re.compile(r"write '([^']+)'")
SECONDS = re.compile(r"interval_seconds (\d+)$")
AFTER = utc("2027-01-01 00:00")


def advice(text: str) -> str:
    """Return the reason and the way out of a refusal; assert that it is one."""
    valid, message = validate_cron(text)
    assert not valid
    return message.split(f"'{text}': ", 1)[1]


def written(text: str) -> str:
    """Return the expression that a refusal proposes; assert that it is valid."""
    [proposed] = WRITTEN.findall(advice(text))
    assert validate_cron(proposed)[0]
    return str(proposed)


@pytest.mark.parametrize(
    ("text", "proposed", "seen"),
    [
        ("H/15 * * * *", "*/15 * * * *", "'H'"),
        ("H H(0-7) * * *", "0 0 * * *", "jitter_seconds"),
        ("H(5-29)/10 * * * *", "5-29/10 * * * *", "'H'"),
        ("r(1-5) * * * *", "1 * * * *", "picked"),
        ("TZ=America/New_York 0 9 * * *", "0 9 * * *", "to 'America/New_York'"),
        ("CRON_TZ=UTC @daily", "@daily", "timezone to 'UTC'"),
        ("TZ='Europe/Paris' 0 9 * * *", "0 9 * * *", "timezone to 'Europe/Paris'"),
        ("TZ=PST 0 9 * * *", "0 9 * * *", "America/Los_Angeles"),
        ("0 9 * * * Europe/Berlin", "0 9 * * *", "timezone to 'Europe/Berlin'"),
        ("0 9 * * mon, wed", "0 9 * * mon,wed", "a list has no blanks"),
        ("0 9 , 17 * * *", "0 9,17 * * *", "a list has no blanks"),
        ("0 9 * * 1 - 5", "0 9 * * 1-5", "a field has no blanks"),
        ("0 5 * * * # every day", "0 5 * * *", "a comment ('# every day')"),
        ("# 0 5 * * *", "0 5 * * *", "a comment"),
        ("0 5 * * * root cmd -x", "0 5 * * *", "'root cmd -x'"),
        ("17 * * * * root cd / && run-parts /etc", "17 * * * *", "a user or a command"),
        ("*/5 * * * * /usr/bin/x a, b", "*/5 * * * *", "a user or a command"),
        ("@daily root /x", "@daily", "'root /x'"),
        ("30 0 9 * * * /x", "30 0 9 * * *", "'/x'"),
        ("0 9 * * Monday", "0 9 * * Mon", "three letters"),
        ("0 9 * * tues,thurs", "0 9 * * tue,thu", "three letters"),
        ("0 9 * * wednesday-friday", "0 9 * * wed-fri", "three letters"),
        ("0 0 1 September *", "0 0 1 Sep *", "three letters"),
        ("/5 * * * *", "*/5 * * * *", "a step is written '*/n'"),
        ("*5 * * * *", "*/5 * * * *", "a step is written '*/n'"),
        ("0 9 mon * *", "0 9 * * mon", "'mon' belongs in the day of week field"),
        ("0 9 * mon *", "0 9 * * mon", "'mon' belongs in the day of week field"),
        ("0 9 1 * jan", "0 9 1 jan *", "'jan' belongs in the month field"),
        ("0 0 * monday *", "0 0 * * mon", "belongs in the day of week field"),
        ("0 12 * * MON *", "0 12 * * MON", "a year field ('*')"),
        ("0 0 9 * * MON 2026", "0 0 9 * * MON", "set start_at and end_at"),
        ("0 0 9 ? * Monday", "0 0 9 * * Mon", "three letters"),
        ("cron(0 9 ? * Monday *)", "0 9 * * Mon", "three letters"),
        ("0 24 * * *", "0 0 * * *", "the hour of midnight is 0"),
        ("0 0 20-L * *", "0 0 20-31 * *", "take a single day"),
        ("0 0 * * MON-WED#1", "0 0 * * 1#1,2#1,3#1", "take a single day"),
        ("0 0 * * 1-2L", "0 0 * * L1,L2", "take a single day"),
        ("'0 9 * * *'", "0 9 * * *", "without quotes"),
        ("- cron: '0 9 * * *'", "0 9 * * *", "leave out '- cron:'"),
        ("0 9 * * 1\u20135", "0 9 * * 1-5", "dashes"),
        ("@quarterly", "0 0 1 1,4,7,10 *", "'@quarterly' is not supported"),
        ("@dayly", "@daily", "'@dayly' is not supported"),
        ("hourly", "@hourly", "'hourly' is not supported"),
        ("09:30", "30 9 * * *", "a time alone"),
        ("TZ=UTC 0 9 * * monday, friday # x", "0 9 * * mon,fri", "timezone to 'UTC'"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_seen_and_what_to_write(
    text: str, proposed: str, seen: str
) -> None:
    assert written(text).casefold() == proposed.casefold()
    assert seen in advice(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@every 48h", 172_800),
        ("@every 1h30m", 5400),
        ("@every 1.5h", 5400),
        ("@every 90s", 90),
        ("@every 7d", 604_800),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", 3600),
        ("every 10 minutes", 600),
        ("*/90 * * * *", 5400),
        ("*/61 * * * * *", 61),
        ("0 */25 * * *", 90_000),
        ("0 */48 * * *", 172_800),
        ("0 0 */100 * *", 8_640_000),
    ],
)
def test_an_interval_is_named_with_its_seconds(text: str, seconds: int) -> None:
    found = advice(text)

    assert "schedule_type 'interval'" in found
    assert SECONDS.findall(found) == [str(seconds)]
    due = build("interval", {"interval_seconds": seconds}).next_after(CREATED_AT)
    assert due == CREATED_AT + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["@every 1ms", "@every", "@every soon", "rate(0 days)"]
)
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    assert not validate_cron(text)[0]
    assert not SECONDS.findall(advice(text))


def test_an_instant_is_named_as_once() -> None:
    found = advice("at(2030-01-01T09:00:00)")

    config = json.loads(found.split("schedule_config ")[1])
    assert build("once", config).next_after(AFTER) == utc("2030-01-01 09:00")


def test_a_start_of_a_machine_has_a_way_out() -> None:
    assert "trigger_type 'manual'" in advice("@reboot")


@pytest.mark.parametrize(
    "text", ["0 9 * * 1-5 2026", "0 0 9 * * 2 *", "0 9 * * 7 2026-2030"]
)
def test_weekdays_that_can_mean_two_days_get_no_proposal(text: str) -> None:
    assert "Sunday in AWS and Quartz" in advice(text)
    assert not WRITTEN.findall(advice(text))


def stored(text: str) -> Schedule:
    """Return the schedule of an expression as earlier releases have read it."""
    return WallClockSchedule(timezone="UTC", rule=parse_cron(text))


@pytest.mark.parametrize(
    "text",
    [
        "*/90 * * * *", "0 */48 * * *", "0 0 */100 * *", "0 0 1 */13 *", "0 0 * * */8",
        "0 0 1-5/9 * *", "5,*/70 * * * *", "0 9-17/12 * * *", "0 0 */40 * 5",
    ],
)  # fmt: skip
def test_a_step_beyond_its_range_is_refused_when_new_and_kept_when_stored(
    text: str,
) -> None:
    message = advice(text)

    due = occurrences(stored(text), AFTER, limit=20)

    assert "is beyond its range" in message
    for proposed in WRITTEN.findall(message):
        assert occurrences(cron(proposed), AFTER, limit=20) == due
    rebuilt = build_stored(text)
    assert occurrences(rebuilt, AFTER, limit=20) == due
    with pytest.raises(InvalidSchedule):
        cron(text)


def build_stored(text: str) -> Schedule:
    return build("cron", cron_expression=text, is_stored=True)


@pytest.mark.parametrize(
    "text",
    ["*/60 * * * *", "0 */24 * * *", "0 0 */31 * *", "0 0 1 */12 *", "0 0 * * */7"],
)
def test_a_step_of_a_whole_cycle_is_accepted(text: str) -> None:
    assert validate_cron(text)[0]


minutes = st.sampled_from(["0", "*/15", "5,35", "10-20/5", "*"])
hours = st.sampled_from(["*", "9", "*/6", "8-17", "22-2"])
months = st.sampled_from(["*", "1-6", "jan,jul", "nov-feb"])
weekdays = st.sampled_from(["*", "1-5", "mon,wed", "0", "fri-mon", "7"])
FULL = {
    "mon": "Monday", "wed": "Weds", "fri": "friday", "jan": "January", "jul": "JULY",
    "nov": "November", "feb": "February",
}  # fmt: skip


def spell(text: str) -> str:
    return re.sub(r"[a-z]+", lambda match: FULL.get(match[0], match[0]), text)


# Each makes another text that people write for the same schedule.
DISTORTIONS = {
    "comment": "{} # nightly".format,
    "user and command": "{} root /usr/bin/backup --all".format,
    "command": "{} cd /srv && ./run.sh, now".format,
    "zone": "TZ=UTC {}".format,
    "zone behind": "{} Europe/Berlin".format,
    "quotes": '"{}"'.format,
    "label": "- cron: '{}'".format,
    "blanks in lists": lambda text: text.replace(",", ", "),
    "names in full": spell,
}


@settings(deadline=None)
@given(
    minutes, hours, months, weekdays,
    st.lists(st.sampled_from(sorted(DISTORTIONS)), min_size=1, max_size=3, unique=True),
)  # fmt: skip
def test_every_proposed_text_is_valid_and_means_the_same(
    minute: str, hour: str, month: str, weekday: str, names: list[str]
) -> None:
    plain = f"{minute} {hour} * {month} {weekday}"
    text = plain
    for name in names:
        text = DISTORTIONS[name](text)
    if validate_cron(text)[0]:
        assert text == plain  # a text without a list or a name stays as it is
        return
    found = WRITTEN.findall(advice(text))

    for proposed in found:
        assert validate_cron(proposed)[0]
        due = occurrences(cron(proposed), AFTER, limit=20)
        assert due == occurrences(cron(plain), AFTER, limit=20)
        assert all(matches_wall(plain, at.replace(tzinfo=None)) for at in due)
    if len(names) == 1:
        assert len(found) == 1


@settings(deadline=None)
@given(
    st.text(st.sampled_from("0123459*/,-#LW?HR@()=: TZjanmonevryot\"'"), max_size=50)
)
def test_whatever_a_message_proposes_is_valid(text: str) -> None:
    valid, message = validate_cron(text)

    assert message.isprintable()
    if not valid:
        for proposed in WRITTEN.findall(message.split(f"'{text}': ", 1)[1]):
            assert validate_cron(proposed)[0]
