"""The watchdog ends a worker that is connected but consumes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.stack import Stack
from tests.chaos.broker import count_messages, publish
from tests.servers.proxy import TcpProxy, proxy_to

pytestmark = pytest.mark.chaos


@pytest.fixture
def proxy(stack: Stack) -> Iterator[TcpProxy]:
    """The connection between the worker and the broker."""
    with proxy_to(stack.broker_socket) as made:
        yield made


def test_a_worker_that_consumes_nothing_while_messages_wait_ends(
    stack: Stack, proxy: TcpProxy
) -> None:
    stack.reach_broker_by(f"redis://127.0.0.1:{proxy.port}/0")
    stack.start("worker", app="tests.chaos.deaf_app")
    proxy.lose_connections()
    publish(stack, messages=10)

    assert stack.wait_for_end("worker", timeout_seconds=60) == 1
    assert count_messages(stack, "pipeline") > 0
