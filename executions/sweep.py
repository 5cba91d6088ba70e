"""Finds what a lost message, a dead worker or a silent broker left behind.

Each worker process runs a thread that sweeps every two seconds, and beat asks for
sweeps too. Every process drains the inbox, because that is how events are processed,
with all processes, while no Celery message arrives. One process at a time does the
other steps for the whole installation: each look costs the same, however many look.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from django.db import Error, close_old_connections

from agents.services.heartbeat import forget_old_workers, has_watched_long_enough
from agents.services.lost import resubmit_lost
from agents.services.run import give_up_deadly, take_back_silent, time_out_overdue
from agents.services.submit import submit_overdue
from agents.services.turns import rest, take_turn
from common.database.errors import DatabaseAway, error_kind
from common.threads import BackgroundThread
from executions.pipeline.drain import drain
from executions.pipeline.leases import take_back_orphans
from executions.services.waiting import start_left_waiting
from triggers.services.stats import fold_stats

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
# Looks that find nothing take at most a twentieth of the time …
REST_FACTOR = 20
# … but what waits for a sweep waits no longer than this.
MAX_REST_SECONDS = 30.0
# A process that is cut off from a broker must not sweep for the others for ever.
MAX_HOLD_SECONDS = 300.0
TURN = "sweep"

Step = Callable[[], int]


def watch_agents() -> int:
    """Take back and end what workers have lost, once it is sure that they have.

    After an outage of the database, workers that hold a result report it first.
    """
    if not has_watched_long_enough():
        return 0
    taken = take_back_silent() + give_up_deadly() + time_out_overdue()
    return taken + forget_old_workers()


STEPS_OF_EACH: tuple[Step, ...] = (take_back_orphans, drain)
STEPS_OF_ONE: tuple[Step, ...] = (
    watch_agents,
    start_left_waiting,
    resubmit_lost,
    submit_overdue,
    fold_stats,
)

_held_since: float | None = None


def sweep() -> None:
    """Take the steps of each process, and the others if it is this process's turn."""
    for step in STEPS_OF_EACH:
        _take(step)
    try:
        if take_turn(TURN):
            _sweep_for_all()
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


def _sweep_for_all() -> None:
    """Take the steps of one, and set when the next sweep is due.

    The turn passes to any process after a failure, which may be this process's alone.
    """
    global _held_since
    now = time.monotonic()
    _held_since = _held_since or now
    vain_seconds, failed = 0.0, False
    for step in STEPS_OF_ONE:
        started = time.monotonic()
        found = _take(step)
        failed = failed or found is None
        if not found:
            vain_seconds += time.monotonic() - started
    keeps = not failed and now - _held_since < MAX_HOLD_SECONDS
    if not keeps:
        _held_since = None
    pause = max(EVERY_SECONDS * 0.75, REST_FACTOR * vain_seconds)
    rest(TURN, seconds=min(pause, MAX_REST_SECONDS), keeps=keeps)


def _take(step: Step) -> int | None:
    """Return what a step found; None if it failed, which stops no other step."""
    try:
        return step()
    except (Error, DatabaseAway) as error:
        logger.warning("Sweep: %s failed: %s", step.__name__, error_kind(error))
    except Exception:
        logger.exception("Sweep: %s failed", step.__name__)
    return None
