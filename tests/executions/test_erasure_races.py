"""An erasure at the same time as workers, agents, redeliveries and another erasure."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event as Flag
from typing import Any, TypeVar

import pytest
from django.db import connections
from django.utils import timezone

from access.erasure import erase_subject
from agents.models import AgentTask, TaskStatus
from agents.services.chunks import EndedTask, end_tasks
from agents.services.run import claim_task, finish_task
from events.models import Event, Inbox
from executions import erasure
from executions.erasure import EventsInUse
from executions.models import DrainLease, TriggerExecution
from executions.pipeline import store
from executions.pipeline.drain import drain, process_lease
from executions.pipeline.leases import claim_batch
from tests.factories import make_listener, record
from tests.races import ROUNDS, race_all
from tests.webhooks.received import accept, make_endpoint
from triggers.models import Trigger
from webhooks.deliveries.redelivery import NotRedeliverable, redeliver
from webhooks.models import Delivery

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary"
BODY = json.dumps({"text": CANARY}).encode()


@pytest.fixture
def listener() -> Trigger:
    return make_listener(subject="acme", failure_threshold=1000)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "PAUSE_SECONDS", 0.005)


def erase() -> bool:
    """Return whether nothing was left."""
    return not erase_subject("acme").arrived


def events_with_canary() -> int:
    rows = Event.objects.all()
    return sum(
        CANARY.encode() in bytes(row.body) or CANARY in str(row.request) for row in rows
    )


def tasks_with_canary() -> int:
    rows = AgentTask.objects.values_list("parameters", "result", "error")
    return sum(CANARY in str(row) for row in rows)


def closing(act: Callable[[], T]) -> T:
    try:
        return act()
    finally:
        connections.close_all()


def test_workers_that_drain_meanwhile_leave_nothing(listener: Trigger) -> None:
    for number in range(1, ROUNDS + 1):
        for _ in range(2):
            record(subject="acme", body=BODY)

        race_all([*[drain] * 5, *[erase] * 2])

        assert events_with_canary() == tasks_with_canary() == 0
        assert not Inbox.objects.exists()
        assert not Event.objects.filter(subject="acme").exists()
        ended = TriggerExecution.objects.values_list("status", "reason")
        assert len(ended) == number * 2
        assert set(ended) <= {("success", ""), ("cancelled", "by_person")}


def test_a_worker_that_read_an_event_before_its_erasure_leaves_nothing(
    listener: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, has_read, may_store = record(subject="acme", body=BODY), Flag(), Flag()

    def store_late(executions: Any) -> None:
        has_read.set()
        assert may_store.wait(timeout=30)
        store.store_executions(executions)

    monkeypatch.setattr("executions.pipeline.drain.store_executions", store_late)
    with ThreadPoolExecutor(2) as pool:
        draining = pool.submit(closing, drain)
        assert has_read.wait(timeout=30)
        erasing = pool.submit(closing, erase)
        while Event.objects.get(pk=event.pk).erased_at is None:
            assert not erasing.done()
        may_store.set()
        assert draining.result(timeout=30) == 1
        erasing.result(timeout=30)

    [execution] = TriggerExecution.objects.all()
    assert execution.status == "success"
    assert AgentTask.objects.get().status == TaskStatus.CANCELLED
    assert tasks_with_canary() == events_with_canary() == 0


def finish(task: AgentTask) -> bool:
    return finish_task(task=task, status=TaskStatus.SUCCEEDED, result={"text": CANARY})


def end(task: AgentTask) -> bool:
    ended = EndedTask(task=task, status=TaskStatus.FAILED, error=CANARY)
    return bool(end_tasks([ended]))


@pytest.mark.parametrize("report", [finish, end])
def test_an_agent_that_finishes_meanwhile_leaves_no_result(
    listener: Trigger, report: Callable[[AgentTask], bool]
) -> None:
    for _ in range(ROUNDS):
        record(subject="acme", body=BODY)
        drain()
        task = claim_task(task_id=AgentTask.objects.latest("id").pk)
        assert task is not None

        acts: list[Callable[[], bool]] = [partial(report, task), erase]
        stored = race_all(acts)[0]

        task.refresh_from_db()
        assert (task.status != TaskStatus.CANCELLED) == stored
        assert tasks_with_canary() == 0


def test_a_result_that_comes_after_the_erasure_is_not_stored(
    listener: Trigger,
) -> None:
    record(subject="acme", body=BODY)
    drain()
    task = claim_task(task_id=AgentTask.objects.get().pk)
    assert task is not None

    erase()

    assert task.is_cancelled()
    assert not finish(task)
    assert not end(task)
    assert tasks_with_canary() == 0


def test_redeliveries_meanwhile_carry_nothing() -> None:
    endpoint = make_endpoint(subject="acme")

    def try_redeliver(delivery: Delivery) -> bool:
        try:
            redeliver(delivery=delivery)
        except NotRedeliverable:
            return False
        return True

    for _ in range(ROUNDS):
        event = accept(endpoint, BODY, X_Note=CANARY)
        delivery = Delivery.objects.get(pk=event.pk)

        race_all([partial(try_redeliver, delivery)] * 6 + [erase])

        assert events_with_canary() == 0


def test_the_events_of_a_dead_worker_are_cancelled(listener: Trigger) -> None:
    record(subject="acme", body=BODY)
    assert claim_batch() is not None
    DrainLease.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    erase()

    assert TriggerExecution.objects.get().reason == "by_person"
    assert not DrainLease.objects.exists()


def test_a_worker_that_does_not_end_is_named_and_the_erasure_continues_later(
    listener: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(subject="acme", body=BODY)
    lease = claim_batch()
    assert lease is not None
    monkeypatch.setattr(erasure, "MAX_WAIT_SECONDS", 0)

    with pytest.raises(EventsInUse):
        erase()
    assert process_lease(lease) == 1
    erase()

    assert TriggerExecution.objects.get().reason == "by_person"
    assert not Event.objects.filter(subject="acme").exists()
