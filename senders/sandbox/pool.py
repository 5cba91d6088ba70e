"""The interpreters of this process: started when first needed, replaced when they die.

A pool that was entered is of no use after a fork: its threads are not in the child,
and a child that used it would hang and break the parent's, too. So a child of a process
that has one is refused, instead.
"""

from __future__ import annotations

import logging
import os
import threading

from pydantic_monty import (
    CollectString,
    Monty,
    MontyError,
    MontySession,
    ResourceLimits,
)

from senders.sandbox.errors import SandboxUnavailable
from senders.sandbox.host import host_modules
from senders.sandbox.host.guard import Guard
from senders.sandbox.limits import (
    MAX_HOST_CALLS,
    MAX_MEMORY_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_RECURSION,
    PARSER,
    Limits,
)
from senders.sandbox.slots import Slots
from senders.sandbox.worker_program import worker_program

logger = logging.getLogger(__name__)

MAX_PROCESSES = 2
# What a worker gets to stop by itself before it is killed, and what our functions get.
GRACE_SECONDS = 0.1

_lock = threading.Lock()
_pool: Pool | None = None
_entered_in: int | None = None


class Pool:
    """At most two interpreters. What Monty raises passes through."""

    def __init__(self, program: str | None) -> None:
        self.slots = Slots(MAX_PROCESSES)
        self._monty = Monty(
            binary_path=program,
            min_processes=1,
            max_processes=MAX_PROCESSES,
            checkout_timeout=PARSER.wait_seconds,
            request_timeout=2.0,
            max_checkouts_per_worker=1000,
            feed_duration_limit_grace=GRACE_SECONDS,
        )
        self._monty.__enter__()

    def run(self, program: str, inputs: dict[str, object], limits: Limits) -> object:
        """Return the value of a program's last line, from an interpreter anew."""
        guard = Guard(seconds=limits.run_seconds + GRACE_SECONDS)
        with self._checkout(guard, limits) as session:
            return session.feed_run(
                program,
                inputs=inputs,
                print_callback=CollectString(max_bytes=MAX_OUTPUT_BYTES),
            )

    def is_sound(self) -> bool:
        """Whether the pool runs what can't be at fault."""
        try:
            return self.run("1", {}, PARSER) == 1
        except (MontyError, RuntimeError, OSError):
            return False

    def close(self) -> None:
        self._monty.__exit__(None, None, None)

    def _checkout(self, guard: Guard, limits: Limits) -> MontySession:
        # Without a limit of its time, a worker would outlive a killed parent.
        bounds: ResourceLimits = {
            "max_feed_duration_secs": limits.run_seconds,
            "max_memory": MAX_MEMORY_BYTES,
            "max_recursion_depth": MAX_RECURSION,
            "max_suspensions": MAX_HOST_CALLS,
            "max_total_sleep_secs": 0,
        }
        return self._monty.checkout(
            limits=bounds,
            os_policy={"sleep": "zero"},
            external_modules=host_modules(guard),
        )


def current_pool() -> Pool:
    """Return this process's pool; raise SandboxUnavailable where there can be none."""
    global _pool, _entered_in
    if _entered_in not in (None, os.getpid()):
        raise SandboxUnavailable(
            "The sandbox was started before this process was forked; "
            "it has to be started in each process anew"
        )
    _entered_in = os.getpid()
    with _lock:
        if _pool is None:
            _pool = _start()
        return _pool


def discard(pool: Pool) -> None:
    """Let the next call start a new pool in place of a broken one."""
    global _pool
    with _lock:
        if _pool is pool:
            _pool = None
    pool.close()


def _start() -> Pool:
    """Start a pool, without the kernel's limits where they can't be set."""
    program = worker_program()
    if program is not None:
        pool = _try(program)
        if pool is not None:
            return pool
        logger.warning("Monty can't be started with limits of the kernel")
    pool = _try(None)
    if pool is None:
        raise SandboxUnavailable("The sandbox can't be started")
    return pool


def _try(program: str | None) -> Pool | None:
    try:
        pool = Pool(program)
    except (MontyError, RuntimeError, OSError):
        return None
    if pool.is_sound():
        return pool
    pool.close()
    return None
