"""Waiting events, processed by one Celery worker process: naive tasks and the drain.

Both sides process the same body with the same two triggers: one whose condition is met
and one whose condition is not. Each event becomes two executions and one agent task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from benchmarks import naive_events, our_events
from benchmarks.report import Target, interleave
from benchmarks.reset import reset_all
from benchmarks.servers import ProgramFailed, celery_worker
from benchmarks.usage import tree_cpu_seconds
from local.embedded.process import wait_until

WARM_UP = 50
TIMEOUT_SECONDS = 600

Counter = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    committed_per_cpu_second: float
    committed_per_second: float
    started_per_cpu_second: float
    started_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way to process events.

    `waiting(n)` is a context that creates n events; at its end the worker sees all of
    them at once. `has_events` is whether the agents' worker sends Celery's events.
    """

    queue: str
    agents_queue: str
    has_events: bool
    waiting: Callable[[int], AbstractContextManager[None]]
    executions: Counter
    submitted: Counter
    started: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    per_second: float
    per_cpu_second: float


SIDES = {
    "naive": Side(
        queue="naive",
        agents_queue="naive-agents",
        has_events=False,
        waiting=naive_events.waiting,
        executions=naive_events.count_executions,
        submitted=naive_events.count_submitted,
        started=naive_events.count_started,
    ),
    "ours": Side(
        queue="pipeline",
        agents_queue="agents",
        has_events=True,
        waiting=our_events.waiting,
        executions=our_events.count_executions,
        submitted=our_events.count_submitted,
        started=our_events.count_started,
    ),
}


def measure_pipeline(*, rounds: int, count: int) -> dict[str, PipelineRun]:
    naive_events.make_triggers()
    our_events.make_triggers()
    runs = {name: _runner(side, count) for name, side in SIDES.items()}
    return interleave(runs, rounds=rounds)


def pipeline_targets(medians: dict[str, PipelineRun]) -> list[Target]:
    naive, ours = medians["naive"], medians["ours"]
    committed = ours.committed_per_cpu_second / naive.committed_per_cpu_second
    started = ours.started_per_cpu_second / naive.started_per_cpu_second
    return [
        Target(
            what="Events to committed executions and tasks, per CPU second",
            figure=committed,
            at_least=10.0,
        ),
        Target(
            what="Events to started tasks, with Celery's events and results, "
            "per CPU second",
            figure=started,
            at_least=6.0,
        ),
    ]


def _runner(side: Side, count: int) -> Callable[[], PipelineRun]:
    def run() -> PipelineRun:
        committed = _measure(side, count, {side.queue: False}, _committed)
        queues = {side.queue: False, side.agents_queue: side.has_events}
        started = _measure(side, count, queues, _started)
        return PipelineRun(
            committed_per_cpu_second=committed.per_cpu_second,
            committed_per_second=committed.per_second,
            started_per_cpu_second=started.per_cpu_second,
            started_per_second=started.per_second,
        )

    return run


def _measure(
    side: Side,
    count: int,
    queues: Mapping[str, bool],
    done: Callable[[Side, int], bool],
) -> Speed:
    """Process `count` events with one warm worker per queue, and measure its CPU."""
    reset_all()
    with ExitStack() as workers:
        pids = [
            workers.enter_context(celery_worker(queue, has_events=has_events))
            for queue, has_events in queues.items()
        ]
        with side.waiting(WARM_UP):
            pass
        _wait(lambda: done(side, WARM_UP))
        with side.waiting(count):
            cpu = sum(map(tree_cpu_seconds, pids))
            since = time.perf_counter()
        _wait(lambda: done(side, WARM_UP + count))
        taken = time.perf_counter() - since
        cpu = sum(map(tree_cpu_seconds, pids)) - cpu
    return Speed(per_second=count / taken, per_cpu_second=count / cpu)


def _committed(side: Side, count: int) -> bool:
    """Return whether all executions are stored and all tasks wait for a worker."""
    return side.submitted() == count and side.executions() == 2 * count


def _started(side: Side, count: int) -> bool:
    return side.started() == count


def _wait(done: Callable[[], bool]) -> None:
    if not wait_until(done, timeout_seconds=TIMEOUT_SECONDS):
        raise ProgramFailed(f"Not done within {TIMEOUT_SECONDS} s")
