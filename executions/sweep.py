"""Repairs what a lost message, a dead worker or an unreachable broker left undone.

Each worker process runs a thread that sweeps every two seconds, and beat schedules
sweeps, too. Every process drains the inbox: while no Celery message arrives, this is
how all processes take part in processing events. One process at a time does the other
steps for the whole installation: their cost does not depend on the number of processes.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from django.db import Error, close_old_connections

from agents.services.resubmit import resubmit_lost_tasks
from agents.services.run import (
    fail_tasks_out_of_attempts,
    resubmit_tasks_of_dead_workers,
    time_out_overdue_tasks,
)
from agents.services.submit import submit_due_tasks
from agents.services.workers import (
    can_detect_dead_workers,
    delete_old_workers,
    finish_turn,
    take_turn,
)
from common.database.errors import DatabaseAway, error_kind
from common.threads import BackgroundThread
from executions.pipeline.drain import drain
from executions.pipeline.leases import reclaim_orphans
from executions.services.waiting import start_unblocked
from triggers.services.owners import check_owners
from triggers.services.stats import fold_stats

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
# Steps that find nothing take at most a twentieth of the time …
REST_FACTOR = 20
# … but the next sweep comes no later than this.
MAX_REST_SECONDS = 30.0
# A process that cannot reach a broker must not sweep for the others forever.
MAX_HOLD_SECONDS = 300.0
TURN = "sweep"

Step = Callable[[], int]


def watch_agents() -> int:
    """Resubmit or end the tasks that workers have lost; return how many.

    After an outage of the database, this waits until workers that hold a result have
    had the time to report it.
    """
    if not can_detect_dead_workers():
        return 0
    taken = (
        resubmit_tasks_of_dead_workers()
        + fail_tasks_out_of_attempts()
        + time_out_overdue_tasks()
    )
    return taken + delete_old_workers()


PROCESS_STEPS: tuple[Step, ...] = (reclaim_orphans, drain)
INSTALLATION_STEPS: tuple[Step, ...] = (
    watch_agents,
    start_unblocked,
    resubmit_lost_tasks,
    submit_due_tasks,
    fold_stats,
    check_owners,
)

_held_since: float | None = None


def sweep() -> None:
    """Run the steps of each process, and the others if it is this process's turn."""
    for step in PROCESS_STEPS:
        _run_step(step)
    try:
        if take_turn(TURN):
            _sweep_installation()
    except Error as error:
        logger.warning("Sweep: no turn: %s", error_kind(error))


def start_sweeping() -> None:
    """Sweep every two seconds in a background thread of this process."""
    _sweeper.start()


def _sweep_after_pause() -> None:
    # The processes of a worker start together and must not sweep at the same time.
    _sweeper.pause(EVERY_SECONDS * random.uniform(0, 0.5))  # noqa: S311 - no secret
    close_old_connections()
    sweep()


_sweeper = BackgroundThread(
    _sweep_after_pause, name="sweep", every_seconds=EVERY_SECONDS * 0.75
)


def _sweep_installation() -> None:
    """Run the steps of the installation, and set when the next sweep is due.

    After a failure, which may concern only this process, any process can take the turn.
    """
    global _held_since
    now = time.monotonic()
    _held_since = _held_since or now
    idle_seconds, failed = 0.0, False
    for step in INSTALLATION_STEPS:
        started = time.monotonic()
        found = _run_step(step)
        failed = failed or found is None
        if not found:
            idle_seconds += time.monotonic() - started
    keeps = not failed and now - _held_since < MAX_HOLD_SECONDS
    if not keeps:
        _held_since = None
    pause = max(EVERY_SECONDS * 0.75, REST_FACTOR * idle_seconds)
    finish_turn(TURN, seconds=min(pause, MAX_REST_SECONDS), keeps=keeps)


def _run_step(step: Step) -> int | None:
    """Return the result of a step; None if it failed, which stops no other step."""
    try:
        return step()
    except (Error, DatabaseAway) as error:
        logger.warning("Sweep: %s failed: %s", step.__name__, error_kind(error))
    except Exception:
        logger.exception("Sweep: %s failed", step.__name__)
    return None
