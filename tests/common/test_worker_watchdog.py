"""The failures that the watchdog counts; these tests have no worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import Celery
from django.conf import LazySettings

from common import worker_watchdog
from common.worker_watchdog import WorkerWatchdog
from config.celery import transport_options
from local.embedded.folders import remove_server_folder
from local.embedded.servers import start_valkey
from tests.servers.proxy import TcpProxy, proxy_to

QUEUE = "pipeline"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[TcpProxy]:
    """A proxy in front of a Valkey of this test."""
    server = start_valkey(tmp_path / "valkey")
    try:
        with proxy_to(urlsplit(server.url).path) as made:
            yield made
    finally:
        server.kill()
        remove_server_folder(tmp_path / "valkey")


@pytest.fixture
def app(proxy: TcpProxy) -> Iterator[Celery]:
    with Celery(
        broker=f"redis://127.0.0.1:{proxy.port}/0", set_as_current=False
    ) as app:
        app.amqp.queues.select([QUEUE])
        yield app


@pytest.fixture
def watchdog(
    app: Celery, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> WorkerWatchdog:
    monkeypatch.setattr(worker_watchdog, "PING_SECONDS", 0.1)
    options = transport_options("redis://") | {"socket_timeout": 1.5}
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = options
    consumer: Any = SimpleNamespace(app=app, hostname="stuck@host")
    return WorkerWatchdog(consumer)


def publish(app: Celery) -> None:
    app.send_task("executions.tasks.sweep", queue=QUEUE)


def answer_one_ping(app: Celery, is_listening: Event) -> None:
    """Answer a ping as the main process of a worker does."""
    answered = Event()

    def pong(*_: object, **__: object) -> dict[str, str]:
        answered.set()
        return {"ok": "pong"}

    control: Any = app.control
    with app.connection_for_read() as connection:
        node = control.mailbox(connection).Node("stuck@host", handlers={"ping": pong})
        node.channel = connection.default_channel
        node.listen()
        is_listening.set()
        while not answered.is_set():
            connection.drain_events(timeout=20)


def test_a_busy_worker_that_answers_is_not_counted(
    app: Celery, watchdog: WorkerWatchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_watchdog, "PING_SECONDS", 20)
    publish(app)
    watchdog.failures = 3
    is_listening = Event()
    worker = Thread(target=answer_one_ping, args=[app, is_listening])
    worker.start()
    assert is_listening.wait(10)

    watchdog.check()

    worker.join(20)
    assert watchdog.failures == 0


def test_a_worker_without_messages_is_not_counted(watchdog: WorkerWatchdog) -> None:
    watchdog.failures = 3

    watchdog.check()

    assert watchdog.failures == 0


def test_a_worker_that_receives_messages_is_not_counted(
    app: Celery, watchdog: WorkerWatchdog
) -> None:
    publish(app)
    watchdog.failures = 3
    watchdog.record_message()

    watchdog.check()

    assert watchdog.failures == 0


def test_an_unavailable_broker_is_not_counted(
    app: Celery, watchdog: WorkerWatchdog, proxy: TcpProxy
) -> None:
    publish(app)
    watchdog.failures = 3
    proxy.become_hole()

    watchdog.check()

    assert watchdog.failures == 0


def test_the_worker_ends_after_a_minute_of_failures(
    app: Celery, watchdog: WorkerWatchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert worker_watchdog.MAX_FAILURES * (5.0 + worker_watchdog.REST_SECONDS) == 60
    monkeypatch.setattr(watchdog, "_every_seconds", 0)
    monkeypatch.setattr(worker_watchdog, "MAX_FAILURES", 2)
    ended_at: list[int] = []

    def end() -> None:
        ended_at.append(watchdog.failures)
        watchdog.stop()

    monkeypatch.setattr(worker_watchdog, "_end_worker", end)
    publish(app)

    watchdog.start()
    watchdog.join(60)

    assert ended_at == [2]


def test_a_worker_that_shuts_down_is_not_ended(
    watchdog: WorkerWatchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(worker_watchdog, "_end_worker", lambda: ended.append(True))
    monkeypatch.setattr(worker_watchdog, "MAX_FAILURES", 0)
    watchdog.stop()

    watchdog._end_worker_if_stuck()

    assert ended == []
