"""Faults of the broker, and messages that show whether workers consume."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from celery import Celery
from redis import Redis

from tests.acceptance.stack import Stack

# For each worker's queue, a Celery task that is harmless at any time.
_HARMLESS = {
    "pipeline": "executions.tasks.sweep",
    "slow": "webhooks.tasks.run_errands",
}


def publish(stack: Stack, queue: str = "pipeline", *, messages: int = 1) -> None:
    """Publish messages on the broker's own socket, without any proxy."""
    url = f"redis+socket://{stack.broker_socket}"
    with Celery(broker=url, set_as_current=False) as app:
        for _ in range(messages):
            app.send_task(_HARMLESS[queue], queue=queue)


def count_messages(stack: Stack, *queues: str) -> int:
    with closing(stack.broker_client()) as broker:
        return sum(int(str(broker.llen(queue))) for queue in queues)


def make_read_only(stack: Stack) -> Callable[[], None]:
    """Make the broker a replica, as after a failover; return what ends that."""
    _command(stack, lambda broker: broker.replicaof("127.0.0.1", "1"))
    return lambda: _command(stack, lambda broker: broker.replicaof("NO", "ONE"))


def fill_memory(stack: Stack) -> Callable[[], None]:
    """Make the broker refuse writes for lack of memory; return what ends that."""
    _command(stack, lambda broker: broker.config_set("maxmemory-policy", "noeviction"))
    _command(stack, lambda broker: broker.config_set("maxmemory", "1"))
    return lambda: _command(stack, lambda broker: broker.config_set("maxmemory", "0"))


def _command(stack: Stack, command: Callable[[Redis], object]) -> None:
    with closing(stack.broker_client()) as broker:
        command(broker)
