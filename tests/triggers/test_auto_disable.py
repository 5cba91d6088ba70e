from __future__ import annotations

import json
from functools import partial

import pytest
from django_celery_beat.models import PeriodicTask

from events.models import Event, EventSource
from tests.factories import make_listener, make_trigger
from tests.races import ROUNDS, race, race_all
from triggers.models import ScheduleVersion, Trigger, TriggerStats
from triggers.services.lifecycle import disable_trigger, enable_trigger
from triggers.services.stats import count_failures, reset_failures

pytestmark = pytest.mark.django_db(transaction=True)


def announced(trigger: Trigger) -> int:
    events = Event.objects.filter(type="trigger.auto_disabled")
    bodies = [json.loads(bytes(event.body)) for event in events]
    return sum(body["trigger_id"] == str(trigger.id) for body in bodies)


def test_a_trigger_is_disabled_exactly_at_its_threshold() -> None:
    trigger = make_listener(failure_threshold=3)

    count_failures(trigger.id, failures=2)
    assert Trigger.objects.active().count() == 1

    count_failures(trigger.id, failures=1)
    assert Trigger.objects.active().count() == 0
    trigger.refresh_from_db()
    assert trigger.disabled_reason == "auto-disabled after 3 consecutive failures"
    assert (trigger.active_since, trigger.version) == (None, 2)


def test_eight_concurrent_failures_disable_and_emit_exactly_once() -> None:
    for _ in range(ROUNDS):
        trigger = make_listener(failure_threshold=5)

        race(partial(count_failures, trigger.id, failures=1))

        trigger.refresh_from_db()
        assert not trigger.is_active
        assert trigger.version == 2
        assert announced(trigger) == 1
        assert TriggerStats.objects.get(pk=trigger.pk).consecutive_failures == 8


def test_the_event_contains_the_trigger_and_its_failures() -> None:
    trigger = make_listener(failure_threshold=1, name="nightly")

    count_failures(trigger.id, failures=4)

    event = Event.objects.get(type="trigger.auto_disabled")
    assert event.source == EventSource.INTERNAL
    assert json.loads(bytes(event.body)) == {
        "trigger_id": str(trigger.id),
        "name": "nightly",
        "failures": 4,
    }


def test_a_disabled_trigger_emits_no_event() -> None:
    trigger = make_listener(failure_threshold=1)
    disable_trigger(trigger_id=trigger.id, reason="by hand")

    count_failures(trigger.id, failures=1)

    trigger.refresh_from_db()
    assert trigger.disabled_reason == "by hand"
    assert announced(trigger) == 0


def test_enabling_resets_the_failures() -> None:
    trigger = make_listener(failure_threshold=2)
    count_failures(trigger.id, failures=2)

    enabled = enable_trigger(trigger_id=trigger.id)

    assert enabled.is_active
    assert enabled.disabled_reason == ""
    assert TriggerStats.objects.get(pk=trigger.pk).consecutive_failures == 0
    count_failures(trigger.id, failures=1)
    enabled.refresh_from_db()
    assert enabled.is_active


def test_a_success_resets_the_failures() -> None:
    trigger = make_listener(failure_threshold=2)

    count_failures(trigger.id, failures=1)
    reset_failures([trigger.id])
    count_failures(trigger.id, failures=1)

    trigger.refresh_from_db()
    assert trigger.is_active


def test_an_auto_disabled_schedule_is_removed_from_the_clock() -> None:
    trigger = make_trigger(
        trigger_type="cron",
        schedule_type="cron",
        cron_expression="0 3 * * *",
        failure_threshold=1,
    )

    count_failures(trigger.id, failures=1)

    trigger.refresh_from_db()
    assert (trigger.next_run_time, trigger.next_scheduled_for) == (None, None)
    version = ScheduleVersion.objects.get(trigger=trigger, valid_to=None)
    assert not version.is_active
    mirrors = PeriodicTask.objects.filter(name=f"cron-trigger-{trigger.id}")
    assert not mirrors.filter(enabled=True).exists()


def test_failing_and_enabling_at_once_never_deadlock() -> None:
    trigger = make_listener(failure_threshold=1)

    def fail() -> None:
        count_failures(trigger.id, failures=1)

    def enable() -> None:
        enable_trigger(trigger_id=trigger.id)

    for _ in range(ROUNDS):
        race_all([fail, enable] * 4)

    trigger.refresh_from_db()
    assert trigger.is_active == (trigger.disabled_reason == "")
