"""The processes that run during the measurement: events, pipeline, tasks, clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import TypeAlias
from uuid import UUID

import django

Tasks: TypeAlias = "Queue[list[UUID]]"

SWEEP_SECONDS = 2.0


@contextmanager
def running(*, events_per_second: int) -> Iterator[None]:
    """Run the processes of a busy installation until the context ends."""
    spawning = get_context("spawn")
    tasks: Tasks = spawning.Queue()
    kinds: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        (_record_events, (events_per_second,)),
        (_process_events, (tasks,)),
        (_run_tasks, (tasks,)),
    ]
    started = [
        spawning.Process(target=kind, args=args, daemon=True) for kind, args in kinds
    ]
    for process in started:
        process.start()
    try:
        yield
        dead = [p.name for p in started if not p.is_alive()]
        assert not dead, f"{dead} ended: the figures mean nothing"
    finally:
        for process in started:
            process.kill()
            process.join()


def _record_events(per_second: int) -> None:
    """Record events at a rate, one per transaction, as the receiver does."""
    django.setup()
    from benchmarks.our_events import new_event
    from events.services.record import record_events
    from webhooks.models import WebhookEndpoint

    endpoint_id = WebhookEndpoint.objects.earliest("pk").pk
    start, count = time.monotonic(), 0
    while True:
        count += 1
        record_events([new_event(endpoint_id)])
        time.sleep(max(0.0, start + count / per_second - time.monotonic()))


def _process_events(tasks: Tasks) -> None:
    """Drain the inbox, sweep and claim due triggers, each in its own thread."""
    django.setup()
    from benchmarks.snapshot.backend import BenchBackend
    from executions.pipeline.drain import drain
    from executions.sweep import sweep
    from triggers.clocks.ticker import Ticker

    BenchBackend.queue = tasks
    Ticker().start()
    threading.Thread(target=_repeat, args=(sweep, SWEEP_SECONDS), daemon=True).start()
    _repeat(drain, 0.05)


def _run_tasks(tasks: Tasks) -> None:
    """Claim and finish every task that was submitted."""
    django.setup()
    from agents.models import TaskStatus
    from agents.services.run import claim_task, finish_task

    while True:
        for task_id in tasks.get():
            task = claim_task(task_id=task_id)
            if task is not None:
                finish_task(task=task, status=TaskStatus.SUCCEEDED, result={})


def _repeat(act: Callable[[], object], seconds: float) -> None:
    while True:
        act()
        time.sleep(seconds)
