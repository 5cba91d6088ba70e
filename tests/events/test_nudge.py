from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from queue import Queue

import pytest
import redis
from celery import Task
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kombu.exceptions import OperationalError

from common import redis as hints
from events import nudge as nudges
from events.models import Event, Inbox
from events.nudge import KEY, nudge, nudge_soon, take_nudge
from events.services.record import record_events
from executions.pipeline.drain import drain
from executions.tasks import drain_inbox
from tests.factories import new_event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the Celery tasks that are published."""
    names: list[str] = []

    def publish(task: Task[..., object], *_: object) -> bool:
        names.append(task.name)
        return True

    monkeypatch.setattr(nudges, "enqueue", publish)
    return names


@pytest.fixture
def closed_redis(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A Redis that does not listen, and a process that has not yet noticed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        breaker = hints.CircuitBreaker(hints._ping, consequence="")
        monkeypatch.setattr(hints, "breaker", breaker)
        monkeypatch.setattr(hints, "PAUSE_SECONDS", 3600)
        yield
        breaker.close()


def test_many_events_publish_one_message(
    published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nudges, "LIFETIME_MS", 600_000)
    for _ in range(50):
        record_events([new_event()])

    assert published == [drain_inbox.name]


def test_a_thread_of_the_process_nudges_once_for_a_burst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: Queue[str] = Queue()
    is_over = threading.Event()

    def nudge() -> None:
        calls.put(threading.current_thread().name)
        is_over.wait(60)

    monkeypatch.setattr(nudges, "nudge", nudge)

    nudge_soon()
    assert calls.get(timeout=60) == "nudge"
    for _ in range(500):
        nudge_soon()
    is_over.set()
    assert calls.get(timeout=60) == "nudge"
    # If the thread answers the next burst, it had nothing left to do.
    nudge_soon()
    assert calls.get(timeout=60) == "nudge"
    assert calls.empty()


def test_a_call_during_a_nudge_causes_another_nudge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: Queue[None] = Queue()
    monkeypatch.setattr(nudges, "nudge", lambda: calls.put(None))
    nudge_soon()
    calls.get(timeout=10)

    nudge_soon()

    assert calls.get(timeout=10) is None


def test_a_duplicate_publishes_no_message(published: list[str]) -> None:
    event = new_event()
    record_events([event])
    take_nudge()

    record_events([event])

    assert len(published) == 1


def test_a_nudge_lasts_two_seconds_at_most(published: list[str]) -> None:
    nudge()

    left = hints.ask_redis(lambda r: r.pttl(KEY), otherwise=0)

    assert isinstance(left, int)
    assert 0 < left <= 2000


def test_after_the_nudge_is_deleted_the_next_event_nudges_again(
    published: list[str],
) -> None:
    nudge()
    take_nudge()
    nudge()

    assert len(published) == 2


def test_a_drain_deletes_the_nudge_before_it_reads_the_inbox(
    published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    with CaptureQueriesContext(connection) as queries:
        monkeypatch.setattr(
            "executions.pipeline.drain.take_nudge",
            lambda: calls.append(len(queries.captured_queries)),
        )
        drain()

    assert calls == [0]
    assert len(queries.captured_queries) > 0


def test_an_event_stored_while_a_batch_is_processed_nudges(
    published: list[str],
) -> None:
    record_events([new_event()])
    take_nudge()  # as a worker does before it reads the inbox

    record_events([new_event()])

    assert len(published) == 2


def test_without_redis_an_event_is_stored_without_an_error(
    closed_redis: None, published: list[str]
) -> None:
    record_events([new_event()])

    assert Event.objects.count() == Inbox.objects.count() == 1
    assert published == []


def test_a_redis_that_failed_is_not_called_again(
    closed_redis: None, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[redis.Redis] = []

    def ping(client: redis.Redis) -> bool:
        calls.append(client)
        return bool(client.ping())

    with caplog.at_level(logging.WARNING, logger="common.redis"):
        answers = [hints.ask_redis(ping, otherwise=False) for _ in range(3)]

    assert answers == [False, False, False]
    assert len(calls) == len(caplog.records) == 1
    assert hints.breaker.skipped_calls == 3


def test_a_broker_that_is_down_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(drain_inbox, "apply_async", refuse)

    record_events([new_event()])

    assert Inbox.objects.count() == 1
    assert "executions.tasks.drain_inbox is left to the sweep" in caplog.text
