"""A worker that is connected and takes nothing is ended by its watchdog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from celery import Celery

from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for
from tests.servers.proxy import TcpProxy, proxy_to

pytestmark = pytest.mark.chaos


@pytest.fixture
def proxy(stack: Stack) -> Iterator[TcpProxy]:
    """The path between the worker and the broker."""
    with proxy_to(stack.broker_socket) as made:
        yield made


def publish(stack: Stack, messages: int) -> None:
    with Celery(broker=f"redis+socket://{stack.broker_socket}") as app:
        for _ in range(messages):
            app.send_task("executions.tasks.sweep", queue="pipeline")


def count_messages(stack: Stack) -> int:
    with closing(stack.broker_client()) as broker:
        return int(str(broker.llen("pipeline")))


def test_a_worker_that_takes_nothing_ends_and_its_successor_works(
    stack: Stack, proxy: TcpProxy
) -> None:
    stack.reach_broker_by(f"redis://127.0.0.1:{proxy.port}/0")
    stack.start("worker", app="tests.chaos.deaf_app")
    proxy.lose_connections()
    publish(stack, 10)

    assert stack.wait_for_end("worker", timeout_seconds=60) == 1

    assert count_messages(stack) > 0
    stack.start("worker")
    wait_for(lambda: count_messages(stack) == 0, timeout_seconds=20)
