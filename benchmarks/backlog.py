"""A backlog of agent tasks on real workers, and the number of its messages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from django.db.models import Sum

from agents.models import Agent, AgentTask, TaskStatus
from benchmarks.report import Target
from benchmarks.reset import broker, queue_length
from benchmarks.servers import ProgramFailed, celery_worker
from events.models import EventSource
from events.services.record import NewEvent, record_events
from local.embedded.process import wait_until
from triggers.models import TriggerType
from triggers.services.lifecycle import create_trigger

TYPE = "ticket.created"
QUEUE = "agents"
# As the lines `worker` and `agents` of the Procfile.
WORKERS = {"pipeline": 2, QUEUE: 2}
TIMEOUT_SECONDS = 1800
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogRun:
    """The result of one backlog; `messages` counts the publications of its tasks."""

    tasks: int
    succeeded: int
    messages: int
    longest_queue: int
    seconds: float


def make_triggers(count: int) -> None:
    agent = Agent.objects.create(
        name="echo", backend="celery", config={"task": "agents.tasks.echo"}
    )
    for number in range(count):
        fields = {
            "name": f"ticket {number}",
            "agent": agent,
            "trigger_type": TriggerType.EVENT,
            "max_executions_per_hour": None,
        }
        create_trigger(fields=fields, event_types=[TYPE])


def measure_backlog(*, events: int, triggers: int, flush: bool) -> BacklogRun:
    """Record events that run all triggers, and wait until each task has ended.

    `flush` deletes all data of the broker when half of the tasks have succeeded.
    """
    watch = _Watch(tasks=events * triggers, flush=flush)
    with ExitStack() as workers:
        for queue, concurrency in WORKERS.items():
            workers.enter_context(celery_worker(queue, concurrency=concurrency))
        since = time.perf_counter()
        for _ in range(events):
            record_events([NewEvent(type=TYPE, source=EventSource.EMIT, body=b"{}")])
        is_done = wait_until(watch.is_done, timeout_seconds=TIMEOUT_SECONDS)
        seconds = time.perf_counter() - since
    if not is_done:
        raise ProgramFailed(f"{watch.succeeded} of {watch.tasks} tasks have succeeded")
    return BacklogRun(
        tasks=watch.tasks,
        succeeded=watch.succeeded,
        messages=AgentTask.objects.aggregate(n=Sum("publications"))["n"],
        longest_queue=watch.longest_queue,
        seconds=seconds,
    )


def backlog_targets(run: BacklogRun, *, flush: bool) -> Sequence[Target]:
    return [
        Target(
            what="Messages published",
            figure=run.messages / run.tasks,
            unit="times the tasks",
            at_most=2.1 if flush else 1.1,
        )
    ]


class _Watch:
    """Watches the tasks and the queue, and empties the broker once if `flush`."""

    def __init__(self, *, tasks: int, flush: bool) -> None:
        self.tasks = tasks
        self.succeeded = 0
        self.longest_queue = 0
        self._flush = flush

    def is_done(self) -> bool:
        time.sleep(POLL_SECONDS)
        succeeded = AgentTask.objects.filter(status=TaskStatus.SUCCEEDED)
        self.succeeded = succeeded.count()
        self.longest_queue = max(self.longest_queue, queue_length(QUEUE))
        if self._flush and 2 * self.succeeded >= self.tasks:
            self._flush = False
            with broker() as client:
                client.flushall()
        return self.succeeded == self.tasks
