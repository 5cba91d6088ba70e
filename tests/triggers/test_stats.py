from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction
from django_celery_beat.models import PeriodicTask
from pytest_django import DjangoAssertNumQueries

from common.ids import uuid7
from events.models import Event, EventSource
from tests.factories import make_listener, make_trigger
from tests.races import ROUNDS, race, race_all
from triggers.models import ScheduleVersion, StatsDelta, Trigger, TriggerStats
from triggers.services.lifecycle import disable_trigger, enable_trigger
from triggers.services.stats import (
    Run,
    count_failures,
    fold_stats,
    record_runs,
    reset_failures,
)

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 1, 1, tzinfo=UTC)


def run(trigger: Trigger, outcome: str = "success", *, minute: int = 0) -> Run:
    return Run(
        trigger=trigger,
        is_success=outcome == "success",
        is_failure=outcome == "failure",
        is_skipped=outcome == "skip",
        executed_at=AT + timedelta(minutes=minute),
        execution_time_ms=10,
    )


def store(runs: list[Run]) -> None:
    """Record runs in a transaction, as a batch does."""
    with transaction.atomic():
        record_runs(runs)


def stats_of(trigger: Trigger) -> TriggerStats:
    return TriggerStats.objects.get(pk=trigger.pk)


def test_a_batch_is_added_to_the_counts() -> None:
    trigger = make_listener()
    store([run(trigger), run(trigger, "failure", minute=2), run(trigger, "skip")])
    store([run(trigger, minute=1)])

    assert fold_stats() == 2

    stats = stats_of(trigger)
    assert (stats.total_executions, stats.successful_executions) == (4, 2)
    assert (stats.failed_executions, stats.skipped_executions) == (1, 1)
    assert stats.execution_time_ms_sum == 40
    assert stats.last_execution_at == AT + timedelta(minutes=2)
    assert not StatsDelta.objects.exists()


def test_an_older_batch_does_not_move_the_last_execution_back() -> None:
    trigger = make_listener()
    for minute in (5, 1):
        store([run(trigger, minute=minute)])
        fold_stats()

    assert stats_of(trigger).last_execution_at == AT + timedelta(minutes=5)


def test_deltas_are_folded_once_by_eight_sweeps_while_others_write() -> None:
    trigger = make_listener(failure_threshold=10**6)

    def write() -> int:
        store([run(trigger)])
        return 0

    def fail() -> int:
        count_failures(trigger.id, failures=1)
        return 0

    acts: list[Callable[[], int]] = [fold_stats] * 4 + [write] * 2 + [fail] * 2
    for _ in range(ROUNDS):
        race_all(acts)
    fold_stats()

    stats = stats_of(trigger)
    assert stats.total_executions == stats.successful_executions == 2 * ROUNDS
    assert stats.consecutive_failures == 2 * ROUNDS
    assert not StatsDelta.objects.exists()


def test_one_sweep_folds_at_a_time() -> None:
    trigger = make_listener()
    for _ in range(ROUNDS):
        store([run(trigger)])

        assert sum(race(fold_stats)) == 1


def test_the_delta_of_a_purged_trigger_does_not_block_others() -> None:
    trigger = make_listener()
    StatsDelta.objects.create(trigger_id=uuid7(), total=1)
    store([run(trigger)])

    assert fold_stats() == 2

    assert stats_of(trigger).total_executions == 1


def test_failures_in_a_row_are_counted_across_batches() -> None:
    trigger = make_listener(failure_threshold=100)

    store([run(trigger, "failure"), run(trigger, "skip")])
    store([run(trigger, "failure")])

    assert stats_of(trigger).consecutive_failures == 2


@pytest.mark.parametrize(
    ("outcomes", "failures"),
    [
        ("success", 0),
        ("failure success", 0),
        ("success failure", 1),
        ("failure success failure failure", 2),
        ("skip", 3),
    ],
)
def test_a_success_resets_the_failures_before_it(outcomes: str, failures: int) -> None:
    trigger = make_listener(failure_threshold=100, count_task_failures=False)
    store([run(trigger, "failure")] * 3)

    store([run(trigger, outcome) for outcome in outcomes.split()])

    assert stats_of(trigger).consecutive_failures == failures


def test_creating_a_task_is_no_success_if_its_result_counts() -> None:
    trigger = make_listener(failure_threshold=100, count_task_failures=True)
    store([run(trigger, "failure")])

    store([run(trigger, "success")])

    assert stats_of(trigger).consecutive_failures == 1


def test_a_trigger_without_failures_costs_one_insert_per_batch(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    triggers = [make_listener() for _ in range(5)]

    with transaction.atomic(), django_assert_num_queries(1):
        record_runs([run(trigger) for trigger in triggers for _ in range(10)])

    assert StatsDelta.objects.count() == 5


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
