from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from pytest_django import DjangoAssertNumQueries

from agents.models import AgentTask
from events.models import Event, Inbox
from events.services.record import record_events
from executions.models import DrainLease, ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.leases import MAX_BODY_BYTES, MAX_EVENTS, claim_batch
from tests.factories import make_listener, new_event
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


def assert_each_processed_once(events: int, *, triggers: int = 1) -> None:
    assert not Inbox.objects.exists()
    assert not DrainLease.objects.exists()
    assert TriggerExecution.objects.count() == events * triggers
    assert AgentTask.objects.count() == events * triggers
    assert Event.objects.filter(executions__isnull=True).count() == 0


def test_an_event_becomes_an_execution_and_a_task() -> None:
    trigger = make_listener()
    event = new_event(body=b'{"amount": 12345678901234567890}')
    record_events([event])

    assert drain() == 1

    execution = TriggerExecution.objects.get()
    assert execution.trigger == trigger
    assert execution.event_id == event.id
    assert execution.status == ExecutionStatus.SUCCESS
    task = AgentTask.objects.get()
    assert execution.task == task
    assert task.idempotency_key == execution.id
    assert task.status == "submitted"
    assert task.parameters["trigger_data"]["body"] == {"amount": 12345678901234567890}
    assert not Inbox.objects.exists()
    assert Event.objects.count() == 1


def test_an_event_without_triggers_leaves_the_inbox() -> None:
    record_events([new_event()])

    assert drain() == 1

    assert not Inbox.objects.exists()
    assert not TriggerExecution.objects.exists()


def test_draining_an_empty_inbox_does_nothing() -> None:
    assert drain() == 0


def test_a_thousand_events_are_processed_in_batches(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_listener()
    record_events([new_event() for _ in range(1000)])

    with django_assert_max_num_queries(80):
        assert drain() == 1000

    assert_each_processed_once(1000)


def test_a_batch_is_bounded_in_events() -> None:
    record_events([new_event() for _ in range(MAX_EVENTS + 1)])

    lease = claim_batch()

    assert lease is not None
    assert len(lease.event_ids) == MAX_EVENTS
    assert lease.is_full


def test_a_batch_is_bounded_in_bytes_but_has_at_least_one_event() -> None:
    record_events([new_event(body=b"x" * (MAX_BODY_BYTES + 1))])
    record_events([new_event(body=b"x" * (MAX_BODY_BYTES // 2)) for _ in range(3)])

    sizes = []
    while lease := claim_batch():
        sizes.append(len(lease.event_ids))

    assert sizes == [1, 2, 1]


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_a_batch_is_bounded_in_pairs(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executions.pipeline.drain.MAX_PAIRS", limit)
    for _ in range(2):
        make_listener()
    record_events([new_event() for _ in range(10)])

    drain()

    assert_each_processed_once(10, triggers=2)


def test_eight_workers_process_every_event_once() -> None:
    make_listener()
    for _ in range(ROUNDS):
        record_events([new_event() for _ in range(10)])

        done = race(drain)

        assert sum(done) == 10
    assert_each_processed_once(10 * ROUNDS)


def test_no_event_is_in_two_leases() -> None:
    record_events([new_event() for _ in range(MAX_EVENTS * 3)])

    leases = [lease for lease in race(claim_batch) if lease]

    claimed = [event_id for lease in leases for event_id in lease.event_ids]
    assert len(claimed) == len(set(claimed)) == MAX_EVENTS * 3


def test_events_recorded_during_a_drain_are_processed() -> None:
    make_listener()

    def record_some() -> int:
        try:
            for _ in range(20):
                record_events([new_event()])
            return 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(record_some) for _ in range(4)]
        while not all(writer.done() for writer in writers):
            drain()
    drain()

    assert_each_processed_once(80)
