from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.factories import make_trigger
from tests.triggers.due_triggers import fired, make_due
from triggers.models import ScheduleVersion, Trigger
from triggers.services.claim import claim_due
from triggers.services.lifecycle import (
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.scheduling import jitter_of, plan_next

pytestmark = pytest.mark.django_db

HOURLY = {
    "trigger_type": "cron",
    "schedule_type": "cron",
    "cron_expression": "0 * * * *",
}


def hour(*, ahead: int) -> datetime:
    """Return the full hour that is this many hours ahead."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now + timedelta(hours=ahead)


@pytest.mark.parametrize(
    ("pause_hours", "and_microseconds", "following"),
    [(10, 0, 10), (10, 1, 11), (-10, 0, 1)],
)
def test_occurrences_during_a_pause_are_left_out(
    pause_hours: int, and_microseconds: int, following: int
) -> None:
    until = hour(ahead=pause_hours) + timedelta(microseconds=and_microseconds)

    trigger = make_trigger(**HOURLY, paused_until=until)

    assert trigger.next_scheduled_for == hour(ahead=following)
    assert trigger.next_run_time == hour(ahead=following)


def test_a_pause_applies_to_the_instant_with_jitter() -> None:
    trigger = make_trigger(**HOURLY, jitter_seconds=3600)
    jitter = jitter_of(trigger)

    trigger.paused_until = hour(ahead=10) + jitter
    plan_next(trigger, after=trigger.created_at)
    assert trigger.next_scheduled_for == hour(ahead=10)
    assert trigger.next_run_time == trigger.paused_until

    trigger.paused_until += timedelta(microseconds=1)
    plan_next(trigger, after=trigger.created_at)
    assert trigger.next_scheduled_for == hour(ahead=11)


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ({"schedule_type": "interval", "schedule_config": {"interval_seconds": 7}}, 7),
        ({"schedule_type": "daily", "schedule_config": {"time": "09:00"}}, 86_400),
        ({"schedule_type": "weekly", "schedule_config": {"day": 2}}, 7 * 86_400),
    ],
)
def test_a_schedule_continues_unchanged_after_a_pause(
    schedule: dict[str, Any], following: int
) -> None:
    trigger = make_trigger(trigger_type="cron", **schedule)
    before = trigger.next_run_time
    until = trigger.created_at + timedelta(days=40)

    paused = update_trigger(trigger_id=trigger.id, fields={"paused_until": until})

    after = paused.trigger.next_run_time
    assert before is not None
    assert after is not None
    assert timedelta(0) <= after - until < timedelta(seconds=following)
    assert (after - before) % timedelta(seconds=following) == timedelta(0)


@pytest.mark.parametrize(
    ("until", "is_ever_due"),
    [
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), False),
        (datetime(1, 1, 1, tzinfo=UTC), True),
    ],
)
def test_a_pause_can_begin_or_end_with_the_calendar(
    until: datetime, is_ever_due: bool
) -> None:
    trigger = make_trigger(
        trigger_type="cron",
        schedule_type="interval",
        jitter_seconds=3600,
        paused_until=until,
    )

    assert (trigger.next_run_time is not None) == is_ever_due


def test_a_once_schedule_within_a_pause_never_runs() -> None:
    at = hour(ahead=5)
    once = {"schedule_type": "once", "schedule_config": {"at": at.isoformat()}}
    trigger = make_trigger(trigger_type="cron", **once, paused_until=hour(ahead=6))

    assert trigger.next_run_time is None


def test_removing_a_pause_restores_the_next_run() -> None:
    trigger = make_trigger(**HOURLY, paused_until=hour(ahead=10), max_runs=3)

    lifted = update_trigger(trigger_id=trigger.id, fields={"paused_until": None})

    assert lifted.trigger.next_run_time == hour(ahead=1)
    assert lifted.trigger.scheduled_runs == 0
    assert ScheduleVersion.objects.filter(trigger=trigger).count() == 2


def test_runs_due_before_a_pause_was_set_are_recorded() -> None:
    due_at = datetime.now(UTC).replace(second=0, microsecond=0)
    trigger = make_due(due_at=due_at, catchup="all")

    update_trigger(trigger_id=trigger.id, fields={"paused_until": hour(ahead=10)})

    assert fired(trigger)[:1] == [due_at]
    trigger.refresh_from_db()
    assert trigger.next_run_time == hour(ahead=10)


def test_a_pause_survives_disable_and_enable() -> None:
    trigger = make_trigger(**HOURLY, paused_until=hour(ahead=10))
    disable_trigger(trigger_id=trigger.id)

    assert enable_trigger(trigger_id=trigger.id).next_run_time == hour(ahead=10)


def test_a_pause_ends_by_itself() -> None:
    trigger = make_trigger(**HOURLY, paused_until=hour(ahead=2))

    assert claim_due(now=hour(ahead=2) - timedelta(seconds=1)) == 0
    assert claim_due(now=hour(ahead=2)) == 1

    assert fired(trigger) == [hour(ahead=2)]
    assert Trigger.objects.get(pk=trigger.pk).next_run_time == hour(ahead=3)


def test_a_pause_of_a_trigger_without_a_schedule_plans_nothing() -> None:
    trigger = make_trigger(trigger_type="event", event_types=["invoice.*"])

    paused = update_trigger(
        trigger_id=trigger.id,
        fields={"paused_until": hour(ahead=10), "pause_note": "audit"},
    )

    assert paused.trigger.next_run_time is None
    assert not ScheduleVersion.objects.filter(trigger=trigger).exists()
