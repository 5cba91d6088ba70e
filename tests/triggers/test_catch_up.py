from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.triggers.due_triggers import NOON, fired, make_due, missed
from triggers.models import Trigger
from triggers.services.claim import claim_due

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + n * MINUTE for n in numbers]


def lost(count: int, first: int, last: int) -> dict[str, object]:
    start, end = minutes(first, last)
    return {"count": count, "from": start.isoformat(), "to": end.isoformat()}


@pytest.mark.parametrize("catchup", ["none", "latest", "all"])
@pytest.mark.parametrize("late_seconds", [0, 30])
def test_a_late_occurrence_within_the_grace_runs(
    catchup: str, late_seconds: int
) -> None:
    trigger = make_due(catchup=catchup)

    claim_due(now=NOON + timedelta(seconds=late_seconds))

    assert fired(trigger) == [NOON]
    assert missed(trigger) == []


@pytest.mark.parametrize(
    ("catchup", "runs", "misses"),
    [
        ("none", [], [lost(1, 0, 0)]),
        ("latest", [0], []),
        ("all", [0], []),
    ],
)
def test_a_later_occurrence_follows_the_catch_up_policy(
    catchup: str, runs: list[int], misses: list[dict[str, object]]
) -> None:
    trigger = make_due(catchup=catchup)

    claim_due(now=NOON + timedelta(seconds=31))

    assert fired(trigger) == minutes(*runs)
    assert missed(trigger) == misses


@pytest.mark.parametrize(
    ("catchup", "runs", "misses"),
    [
        ("none", [], [lost(5, 0, 4)]),
        ("latest", [4], [lost(4, 0, 3)]),
        ("all", [0, 1, 2, 3, 4], []),
    ],
)
def test_five_minutes_of_downtime_follow_the_policy(
    catchup: str, runs: list[int], misses: list[dict[str, object]]
) -> None:
    trigger = make_due(catchup=catchup)

    claim_due(now=NOON + timedelta(minutes=4, seconds=45))

    assert fired(trigger) == minutes(*runs)
    assert missed(trigger) == misses
    trigger.refresh_from_db()
    assert trigger.next_scheduled_for == NOON + 5 * MINUTE


def test_an_occurrence_that_is_on_time_is_the_latest() -> None:
    trigger = make_due(catchup="latest")

    claim_due(now=NOON + timedelta(minutes=4, seconds=5))

    assert fired(trigger) == minutes(4)
    assert missed(trigger) == [lost(4, 0, 3)]


@pytest.mark.parametrize(
    ("catchup", "runs", "misses"),
    [
        ("latest", [4], [lost(4, 0, 3)]),
        ("all", [3, 4], [lost(3, 0, 2)]),
    ],
)
def test_nothing_is_caught_up_beyond_the_window(
    catchup: str, runs: list[int], misses: list[dict[str, object]]
) -> None:
    trigger = make_due(catchup=catchup, catchup_window_seconds=120)

    claim_due(now=NOON + timedelta(minutes=4, seconds=45))

    assert fired(trigger) == minutes(*runs)
    assert missed(trigger) == misses


def test_a_whole_day_is_caught_up_over_several_claims() -> None:
    trigger = make_due(catchup="all", catchup_window_seconds=86_400)
    now = NOON + timedelta(hours=23)

    sizes = [claim_due(now=now) for _ in range(3)]

    assert sizes == [1000, 381, 0]
    assert fired(trigger) == minutes(*range(1381))
    assert missed(trigger) == []


def test_occurrences_on_time_beyond_the_limit_are_left_to_the_next_claim() -> None:
    trigger = make_due(catchup="none", misfire_grace_seconds=86_400)
    now = NOON + timedelta(minutes=1200)

    sizes = [claim_due(now=now) for _ in range(3)]

    assert sizes == [1000, 201, 0]
    assert fired(trigger) == minutes(*range(1201))


def test_missed_occurrences_are_counted_up_to_a_thousand() -> None:
    few, many = make_due(catchup="none"), make_due(catchup="none")
    claim_at = NOON + timedelta(minutes=999, seconds=45)
    Trigger.objects.filter(pk=many.pk).update(next_scheduled_for=NOON - MINUTE)

    for _ in range(2):
        claim_due(now=claim_at)

    assert missed(few) == [lost(1000, 0, 999)]
    assert missed(many) == [{**lost(1000, -1, 999), "at_least": True}]


def test_the_latest_occurrence_is_found_in_an_irregular_schedule() -> None:
    trigger = make_due(
        catchup="latest",
        cron_expression="* * 12 1 6 *",
        catchup_window_seconds=7 * 86_400,
    )

    claim_due(now=NOON + timedelta(days=3))

    last = NOON + timedelta(minutes=59, seconds=59)
    assert fired(trigger) == [last]
    assert missed(trigger) == [
        {
            "count": 1000,
            "from": NOON.isoformat(),
            "to": (last - timedelta(seconds=1)).isoformat(),
            "at_least": True,
        }
    ]


def test_the_latest_occurrence_beyond_the_window_is_missed() -> None:
    trigger = make_due(
        catchup="latest", cron_expression="0 12 * * *", catchup_window_seconds=60
    )

    claim_due(now=NOON + timedelta(hours=1))

    assert fired(trigger) == []
    assert missed(trigger) == [lost(1, 0, 0)]


def test_the_grace_is_a_setting_of_the_trigger() -> None:
    trigger = make_due(catchup="none", misfire_grace_seconds=240)

    claim_due(now=NOON + timedelta(minutes=4))

    assert fired(trigger) == minutes(0, 1, 2, 3, 4)


def test_a_missed_range_is_one_event_and_one_execution() -> None:
    trigger = make_due(catchup="none")
    now = NOON + timedelta(minutes=4, seconds=45)

    claim_due(now=now)
    claim_due(now=now)
    drain()

    assert missed(trigger) == [lost(5, 0, 4)]
    execution = TriggerExecution.objects.get()
    assert (execution.status, execution.reason) == ("skipped", "missed")
