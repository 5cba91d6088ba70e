"""A purge at the same time as the pipeline, redeliveries and another purge."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from agents.models import AgentTask
from events.models import Event
from events.services.record import record_events
from executions.models import Retention, TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.parse import read_bodies
from executions.services.retention.events import ExpiredEvents, OldBodies
from executions.services.retention.state import PurgeRuns, read_ages
from tests.executions.retention.old import (
    counts,
    make_event,
    make_execution,
    purge,
)
from tests.factories import make_listener, new_event
from tests.races import ROUNDS, THREADS, race, race_all
from webhooks.deliveries.redelivery import NotRedeliverable, redeliver
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Delivery

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _keep_90_days(settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 90


def try_purge() -> int:
    """Return how many events a purge deleted; 0 if another one runs."""
    try:
        return counts(purge(is_hourly=True)).get("events", 0)
    except PurgeRuns:
        return 0


def test_simultaneous_purges_delete_and_count_each_event_once() -> None:
    trigger = make_listener()
    for _ in range(ROUNDS):
        for _ in range(3):
            make_execution(make_event(days=91), trigger=trigger)

        assert sum(race(try_purge)) == 3
        assert not Event.objects.exists()
        assert not AgentTask.objects.exists()


def delivery_of(*, days: float) -> Delivery:
    endpoint = create_endpoint().endpoint
    event = make_event(
        days=days, source="webhook", endpoint_id=endpoint.pk, body=b'{"a":1}'
    )
    return Delivery.objects.get(pk=event.pk)


def try_redeliver(delivery: Delivery) -> bool:
    try:
        redeliver(delivery=delivery)
    except NotRedeliverable:
        return False
    return True


def test_redeliveries_during_a_purge_have_a_body_or_are_rejected() -> None:
    for _ in range(ROUNDS):
        delivery = delivery_of(days=91)

        answers = race_all(
            [partial(try_redeliver, delivery)] * (THREADS - 1)
            + [lambda: bool(try_purge())]
        )

        replays = list(Event.objects.filter(replay_of=delivery.pk))
        assert len(replays) == sum(answers[:-1])
        assert all(body.value == {"a": 1} for body in read_bodies(replays).values())


def test_the_original_of_a_redelivery_that_is_not_committed_yet_is_kept() -> None:
    delivery = delivery_of(days=91)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        redeliver(delivery=delivery)
        assert pool.submit(closing, try_purge).result(timeout=30) == 0

    [replay] = Event.objects.filter(replay_of=delivery.pk)
    assert read_bodies([replay])[replay.pk].value == {"a": 1}


def test_a_redelivery_waits_for_the_purge_of_its_body_and_is_rejected(
    settings: Settings,
) -> None:
    settings.EVENT_BODY_RETENTION_DAYS = 7
    delivery, ages = delivery_of(days=8), read_ages(timezone.now())
    assert ages.bodies is not None
    step = OldBodies(ages.bodies, ages, Retention())

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert step.batch(step.first, is_dry=False).counts == {"bodies": 1}
            redelivered = pool.submit(closing, partial(try_redeliver, delivery))
            wait_for_a_blocked_statement(redelivered)
        assert redelivered.result(timeout=30) is False

    assert Event.objects.count() == 1


def test_a_batch_blocks_neither_recording_nor_the_pipeline_nor_redeliveries() -> None:
    make_listener()
    make_event(days=91)
    other, ages = delivery_of(days=1), read_ages(timezone.now())
    step = ExpiredEvents(ages)

    def work() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        record_events([new_event()])
        redeliver(delivery=other)
        return drain()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert step.batch(step.first, is_dry=False).counts["events"] == 1
        assert pool.submit(closing, work).result(timeout=60) == 2


def closing(act: Callable[[], T]) -> T:
    """Run a function and close its thread's connection."""
    try:
        return act()
    finally:
        connections.close_all()


def wait_for_a_blocked_statement(act: Future[bool]) -> None:
    deadline = time.monotonic() + 30
    with connection.cursor() as cursor:
        while not act.done() and time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return


def test_old_events_that_are_processed_during_a_purge_are_processed_once() -> None:
    make_listener()
    worked = 0
    for _ in range(ROUNDS):
        event = make_event(days=91, is_waiting=True)

        race_all([drain, drain, *[try_purge] * 2])
        drain()

        executions = TriggerExecution.objects.filter(event_id=event.pk)
        worked += executions.count()
        assert Event.objects.filter(pk=event.pk).exists()  # its task is open
        assert AgentTask.objects.count() == worked
    assert worked == ROUNDS
