"""Finds what a lost message, a dead worker or a silent broker left behind.

Runs every two seconds in each worker process, in a thread of its own, and from beat. So
the inbox is drained even while no Celery message can be had.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable

from django.db import Error, close_old_connections

from agents.services.heartbeat import forget_old_workers, has_watched_long_enough
from agents.services.run import give_up_deadly, take_back_silent, time_out_overdue
from agents.services.submit import submit_overdue
from common.database.errors import DatabaseAway
from executions.pipeline.drain import drain
from executions.pipeline.leases import take_back_orphans
from executions.services.waiting import start_left_waiting
from triggers.services.stats import fold_stats

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0


def watch_agents() -> int:
    """Take back and end what workers have lost, once it is sure that they have.

    After an outage of the database, workers that hold a result report it first.
    """
    if not has_watched_long_enough():
        return 0
    return take_back_silent() + give_up_deadly() + time_out_overdue()


STEPS: tuple[Callable[[], int], ...] = (
    take_back_orphans,
    drain,
    watch_agents,
    start_left_waiting,
    submit_overdue,
    fold_stats,
    forget_old_workers,
)

_sweeping_in: set[int] = set()


def sweep() -> None:
    """Take each step once; one that fails doesn't keep the others from theirs."""
    for step in STEPS:
        try:
            step()
        except (Error, DatabaseAway) as error:
            logger.warning("Sweep: %s failed: %s", step.__name__, type(error).__name__)
        except Exception:
            logger.exception("Sweep: %s failed", step.__name__)


def start_sweeping() -> None:
    """Sweep in a thread of this process for as long as it lives; once a process."""
    if os.getpid() in _sweeping_in:
        return
    _sweeping_in.add(os.getpid())
    threading.Thread(target=_sweep_for_ever, name="sweep", daemon=True).start()


def _sweep_for_ever() -> None:
    while True:
        # Not all at once: the processes of a worker start together.
        time.sleep(EVERY_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        close_old_connections()
        sweep()
