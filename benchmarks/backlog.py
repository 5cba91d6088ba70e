"""A backlog of agent tasks on real workers, and the number of its messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agents.models import Agent, AgentTask, HintedTask, TaskStatus
from benchmarks.report import Target
from benchmarks.reset import broker, queue_length
from benchmarks.servers import ProgramFailed, celery_worker
from benchmarks.usage import largest_mb
from events.models import EventSource, Inbox
from events.services.record import NewEvent, record_events
from local.embedded.process import wait_until
from triggers.models import TriggerType
from triggers.services.lifecycle import create_trigger

TYPE = "ticket.created"
NEW_TYPE = "ticket.escalated"
NEW_NAME = "the new trigger"
QUEUE = "agents"
# As the lines `worker` and `agents` of the Procfile.
MANY_TASKS = 100_000
CONCURRENCY = 2
TIMEOUT_SECONDS = 3600
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogRun:
    """The result of one backlog.

    `messages` counts all Celery messages of the pipeline and the agents. The new
    trigger fires for the first time while the backlog waits; its task starts after
    `new_seconds`. The memory is that of the agents' largest process, after a tenth of
    the tasks and after all.
    """

    tasks: int
    succeeded: int
    messages: int
    longest_queue: int
    seconds: float
    new_seconds: float
    mb_early: float
    mb_late: float


def make_triggers(count: int) -> None:
    """Create triggers of one event, and one more of another event."""
    agent = Agent.objects.create(
        name="echo", backend="celery", config={"task": "agents.tasks.echo"}
    )
    types = {f"ticket {number}": TYPE for number in range(count)}
    for name, event_type in {**types, NEW_NAME: NEW_TYPE}.items():
        fields = {
            "name": name,
            "agent": agent,
            "trigger_type": TriggerType.EVENT,
            "max_executions_per_hour": None,
        }
        create_trigger(fields=fields, event_types=[event_type])


def measure_backlog(*, events: int, triggers: int, flush: bool) -> BacklogRun:
    """Record events that run all triggers, and wait until each task has ended.

    `flush` deletes all data of the broker when half of the tasks have succeeded.
    """
    with celery_worker("pipeline", concurrency=CONCURRENCY), _agents() as pid:
        watch = _Watch(tasks=events * triggers, flush=flush, agents_pid=pid)
        messages = _messages()
        since = time.perf_counter()
        for _ in range(events):
            record_events([NewEvent(type=TYPE, source=EventSource.EMIT, body=b"{}")])
        is_done = wait_until(watch.is_done, timeout_seconds=TIMEOUT_SECONDS)
        seconds = time.perf_counter() - since
        messages = _messages() - messages
    if not is_done:
        raise ProgramFailed(f"{watch.succeeded} of {watch.tasks} tasks have succeeded")
    new = AgentTask.objects.get(execution__trigger__name=NEW_NAME)
    assert new.started_at
    return BacklogRun(
        tasks=watch.tasks,
        succeeded=watch.succeeded,
        messages=messages,
        longest_queue=watch.longest_queue,
        seconds=seconds,
        new_seconds=(new.started_at - new.created_at).total_seconds(),
        mb_early=watch.mb_early,
        mb_late=watch.mb_late,
    )


def backlog_targets(run: BacklogRun) -> Sequence[Target]:
    """Return the targets; that of memory only if the first tenth warmed it up."""
    targets = [
        Target(
            what="Messages published",
            figure=run.messages / run.tasks,
            unit="times the tasks",
            at_most=0.2,
        ),
        Target(
            what="First task of a new trigger",
            figure=run.new_seconds,
            unit="s until it started",
            at_most=5.0,
        ),
    ]
    if run.tasks >= MANY_TASKS:
        targets.append(
            Target(
                what="Memory of an agents' process",
                figure=run.mb_late / run.mb_early,
                unit="times that after a tenth of the tasks",
                at_most=1.1,
            )
        )
    return targets


@contextmanager
def _agents() -> Iterator[int]:
    """Run the agents' worker, with Celery's events; wait until it is known."""
    with celery_worker(QUEUE, concurrency=CONCURRENCY, has_events=True) as pid:
        announced = HintedTask.objects.filter(queue=QUEUE)
        if not wait_until(announced.exists, timeout_seconds=60):
            raise ProgramFailed("The agents' worker has not announced its tasks")
        yield pid


def _messages() -> int:
    """Return how many messages were ever put into a queue of the broker."""
    with broker() as client:
        statistics: Any = client.info("commandstats")
    return int(statistics.get("cmdstat_lpush", {"calls": 0})["calls"])


class _Watch:
    """Watches the tasks, the queue and the memory; does what happens meanwhile."""

    def __init__(self, *, tasks: int, flush: bool, agents_pid: int) -> None:
        self.tasks = tasks
        self.succeeded = 0
        self.longest_queue = 0
        self.mb_early = self.mb_late = 0.0
        self._flush = flush
        self._agents_pid = agents_pid
        self._has_new = False

    def is_done(self) -> bool:
        time.sleep(POLL_SECONDS)
        ended = AgentTask.objects.filter(status=TaskStatus.SUCCEEDED).count()
        self.succeeded = min(ended, self.tasks)
        self.longest_queue = max(self.longest_queue, queue_length(QUEUE))
        self.mb_late = largest_mb(self._agents_pid)
        if not self.mb_early and 10 * ended >= self.tasks:
            self.mb_early = self.mb_late
        # Once the pipeline has processed everything else.
        if not self._has_new and not Inbox.objects.exists():
            self._has_new = True
            new = NewEvent(type=NEW_TYPE, source=EventSource.EMIT, body=b"{}")
            record_events([new])
        if self._flush and 2 * ended >= self.tasks:
            self._flush = False
            with broker() as client:
                client.flushall()
        return ended == self.tasks + 1
