from __future__ import annotations

from typing import Any

import pytest
from django.db.models import ForeignObjectRel
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from agents.models import AgentTask
from common.ids import moment_of
from events.models import Event
from executions.models import ExecutionTrace, TriggerExecution
from executions.services.retention import batch, events
from tests.executions.retention.old import (
    counts,
    id_of,
    make_event,
    make_execution,
    purge,
)
from tests.factories import make_listener, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keep_90_days(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 90


def stored() -> set[Any]:
    return set(Event.objects.values_list("pk", flat=True))


def test_an_old_event_is_deleted_with_its_executions_traces_and_tasks() -> None:
    make_execution(make_event(days=91))
    young = make_execution(make_event(days=89), ended_days_ago=1)

    found = purge()

    assert counts(found) == {"events": 1, "executions": 1, "traces": 1, "tasks": 1}
    assert stored() == {young.event_id}
    assert TriggerExecution.objects.get() == young
    assert ExecutionTrace.objects.get().execution_id == young.pk
    assert AgentTask.objects.get() == young.task


@pytest.mark.parametrize("days", [91, 500])
def test_nothing_is_deleted_by_age_where_history_is_kept(
    settings: Settings, days: int
) -> None:
    settings.HISTORY_RETENTION_DAYS = None
    make_execution(make_event(days=days))

    assert counts(purge()) == {}
    assert (Event.objects.count(), AgentTask.objects.count()) == (1, 1)


def test_an_event_in_the_inbox_is_kept_at_any_age() -> None:
    waiting = make_event(days=500, is_waiting=True)

    assert counts(purge()) == {}
    assert stored() == {waiting.pk}


@pytest.mark.parametrize("status", ["pending", "running"])
def test_an_event_with_an_open_execution_is_kept_with_its_final_ones(
    status: str,
) -> None:
    event = make_event(days=500)
    make_execution(event, status=status, task=None)
    TriggerExecution.objects.create(
        trigger=make_listener(), event=event, status="success",
        executed_at=event.received_at, trigger_version=1,
    )  # fmt: skip

    assert counts(purge()) == {}
    assert TriggerExecution.objects.count() == 2


@pytest.mark.parametrize("status", ["pending", "submitted", "running"])
def test_an_event_with_an_open_task_is_kept(status: str) -> None:
    make_execution(make_event(days=500), task=status)

    assert counts(purge()) == {}
    assert AgentTask.objects.count() == ExecutionTrace.objects.count() == 1


def test_an_event_whose_task_ended_recently_is_kept() -> None:
    make_execution(make_event(days=500), ended_days_ago=89)

    assert counts(purge()) == {}


@pytest.mark.parametrize("status", ["failed", "timeout", "skipped", "cancelled"])
def test_executions_of_every_final_status_are_deleted(status: str) -> None:
    make_execution(make_event(days=91), status=status, task=None)

    assert counts(purge()) == {"events": 1, "executions": 1, "traces": 1}


def test_the_original_of_a_young_replay_is_kept() -> None:
    original = make_event(days=100)
    replay = make_event(days=10, replay_of=original.pk)

    assert counts(purge()) == {}
    assert stored() == {original.pk, replay.pk}


def test_the_original_of_an_old_replay_that_waits_is_kept() -> None:
    original = make_event(days=100)
    make_event(days=95, replay_of=original.pk, is_waiting=True)
    other = make_event(days=100)
    make_execution(make_event(days=95, replay_of=other.pk), status="pending", task=None)

    assert counts(purge()) == {}


def test_an_original_is_deleted_with_its_replays_once_all_are_old() -> None:
    original = make_event(days=100)
    make_event(days=95, replay_of=original.pk)

    assert counts(purge()) == {"events": 2}


def test_an_execution_without_an_event_is_deleted_by_its_own_age() -> None:
    old, young = (make_execution(make_event(days=days)) for days in (91, 89))
    open_ = make_execution(make_event(days=91), status="running", task=None)
    Event.objects.all().delete()

    found = purge()

    assert counts(found) == {"executions": 1, "traces": 1, "tasks": 1}
    left = set(TriggerExecution.objects.values_list("pk", flat=True))
    assert left == {young.pk, open_.pk} - {old.pk}


def test_an_ended_task_without_an_execution_is_deleted_by_its_own_age() -> None:
    ended, running, young = make_task(), make_task(), make_task()
    tasks = AgentTask.objects
    for task, status, days in ((ended, "failed", 91), (running, "running", 91)):
        tasks.filter(pk=task.pk).update(
            id=id_of(days=days), status=status, created_at="2020-01-01T00:00:00Z"
        )
    tasks.filter(pk=young.pk).update(status="failed")

    assert counts(purge()) == {"tasks": 1}
    assert set(tasks.values_list("status", flat=True)) == {"running", "failed"}


def test_the_counts_include_the_age_of_the_oldest() -> None:
    oldest = make_event(days=200)
    make_event(days=100)

    assert purge().tallies["events"].oldest == moment_of(oldest.pk)


def test_a_batch_of_many_events_costs_eight_statements(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(events, "ROWS", 10)
    trigger = make_listener()
    for _ in range(10):
        make_execution(make_event(days=100), trigger=trigger)
    step = events.ExpiredEvents(purge(is_dry_run=True).ages)

    with django_assert_num_queries(8):
        done = step.batch(step.first, is_dry=False)

    assert done.counts["events"] == done.counts["tasks"] == 10
    assert step.batch(done.last or batch.FIRST_ID, is_dry=False).last is None


@pytest.mark.parametrize(("name", "value"), [("EXECUTIONS", 3), ("BODY_BYTES", 60)])
def test_a_batch_is_bounded_in_executions_and_in_bytes_of_bodies(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    monkeypatch.setattr(events, name, value)
    trigger = make_listener()
    for _ in range(10):
        make_execution(make_event(days=100, body=b"x" * 20), trigger=trigger)
    step = events.ExpiredEvents(purge(is_dry_run=True).ages)

    last, sizes = step.first, []
    while (done := step.batch(last, is_dry=False)).last is not None:
        sizes.append(done.counts["events"])
        last = done.last

    assert sizes == [3, 3, 3, 1]


def test_an_event_with_too_many_executions_is_deleted_in_several_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "EXECUTIONS", 2)
    event = make_event(days=100)
    for number in range(5):
        TriggerExecution.objects.create(
            id=id_of(days=100), trigger=make_listener(), event=event,
            status="success", executed_at=event.received_at, trigger_version=number,
        )  # fmt: skip

    dry, real = purge(is_dry_run=True), purge()

    assert counts(dry) == counts(real) == {"events": 1, "executions": 5}
    assert not TriggerExecution.objects.exists()


def test_the_purge_handles_every_model_that_refers_to_deleted_rows() -> None:
    """Rows that refer to a deleted row must be deleted or detached with it."""
    found = {
        (relation.related_model._meta.label, relation.field.name)
        for model in (Event, TriggerExecution, AgentTask)
        for relation in model._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel)
    }

    assert found == {
        ("events.Inbox", "event"),
        ("executions.TriggerExecution", "event"),
        ("executions.TriggerExecution", "task"),
        ("executions.ExecutionTrace", "execution"),
    }
