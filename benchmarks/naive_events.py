"""Stored hooks with one Celery message each, and the triggers that match them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import current_app

from benchmarks.body import HOLDS, HOLDS_NOT, REQUEST_HEADERS, push
from benchmarks.naive.models import Hook, HookExecution, HookTask, HookTrigger
from benchmarks.naive.tasks import process_hook
from benchmarks.reset import broker, queue_length

HELD_BACK = "naive-held-back"


def make_triggers() -> None:
    for name, rule in (("holds", HOLDS), ("holds not", HOLDS_NOT)):
        HookTrigger.objects.create(name=name, event_type="push", condition=rule)


@contextmanager
def waiting(count: int) -> Iterator[None]:
    """Fill a queue without a consumer; at the end, rename it to the worker's queue."""
    hooks = Hook.objects.bulk_create(
        [Hook(payload=push(), headers=REQUEST_HEADERS) for _ in range(count)]
    )
    with current_app.producer_or_acquire() as producer, producer.batch(500):
        for hook in hooks:
            process_hook.apply_async(
                args=(hook.pk,), queue=HELD_BACK, producer=producer
            )
    yield
    with broker() as client:
        client.rename(HELD_BACK, "naive")


def count_executions() -> int:
    return HookExecution.objects.count()


def count_submitted() -> int:
    return queue_length("naive-agents")


def count_started() -> int:
    return HookTask.objects.filter(started_at__isnull=False).count()
