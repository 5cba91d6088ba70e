from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import AgentTask
from events.models import EventSource
from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.parameters import iso
from executions.services.run import run_trigger
from tests.executions.test_evaluate import OVER_1000, evaluated
from tests.factories import make_listener, make_trigger, record
from triggers.models import Trigger
from triggers.services.lifecycle import disable_trigger, update_trigger

pytestmark = pytest.mark.django_db


def paused(**fields: Any) -> Trigger:
    """A trigger that is paused for a day."""
    tomorrow = timezone.now() + timedelta(days=1)
    return make_listener(paused_until=tomorrow, **fields)


@pytest.mark.parametrize("names_trigger", [False, True])
def test_an_event_during_a_pause_is_skipped(names_trigger: bool) -> None:
    trigger = paused()

    execution = evaluated(trigger_id=trigger.id if names_trigger else None)

    assert (execution.status, execution.reason) == ("skipped", "paused")
    assert not AgentTask.objects.exists()


def test_an_event_after_a_pause_runs() -> None:
    make_listener(paused_until=timezone.now() - timedelta(seconds=1))

    assert evaluated().status == ExecutionStatus.SUCCESS


def test_an_event_before_the_end_of_a_pause_is_skipped_when_processed_after_it() -> (
    None
):
    trigger = make_listener()
    event = record()
    end = event.received_at + timedelta(microseconds=1)
    Trigger.objects.filter(pk=trigger.pk).update(paused_until=end)
    drain()

    assert TriggerExecution.objects.get().reason == "paused"


def test_a_due_instant_recorded_before_a_pause_is_skipped_when_processed_in_it() -> (
    None
):
    trigger = make_trigger()
    event = record(
        type="schedule.due",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        scheduled_for=timezone.now(),
    )
    tomorrow = event.received_at + timedelta(days=1)
    update_trigger(trigger_id=trigger.id, fields={"paused_until": tomorrow})
    drain()

    assert TriggerExecution.objects.get().reason == "paused"


def test_a_person_may_run_a_paused_trigger() -> None:
    run_trigger(trigger_id=paused().id)
    drain()

    assert TriggerExecution.objects.get().status == ExecutionStatus.SUCCESS


def make_disabled() -> Trigger:
    return disable_trigger(trigger_id=make_listener().id)


def backfilled(trigger: Trigger) -> TriggerExecution:
    """Return the execution of a requested instant of last year."""
    return evaluated(
        type="schedule.backfill",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        scheduled_for=timezone.now() - timedelta(days=365),
    )


@pytest.mark.parametrize("make", [paused, make_disabled])
def test_a_backfill_runs_although_its_trigger_is_disabled_or_paused(
    make: Callable[[], Trigger],
) -> None:
    assert backfilled(make()).status == ExecutionStatus.SUCCESS


def test_the_conditions_of_a_backfill_are_evaluated() -> None:
    trigger = make_listener(conditions=OVER_1000)

    assert backfilled(trigger).reason == "conditions_not_met"


def test_the_metadata_of_a_backfill_names_it_and_its_lateness() -> None:
    execution = backfilled(make_listener())

    assert execution.task is not None
    assert execution.event.scheduled_for is not None
    metadata = execution.task.metadata
    assert metadata["backfill"] is True
    assert metadata["scheduled_for"] == iso(execution.event.scheduled_for)
    assert round(metadata["lateness_seconds"] / 86_400) == 365
