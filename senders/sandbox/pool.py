"""The interpreters of this process: started when first needed, replaced when they die.

A pool does not work after a fork: its threads do not exist in the child, and a child
that used it would hang and break the parent's pool, too. So the child of a process with
a pool gets an error.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sysconfig
import threading
from functools import cache

from pydantic_monty import (
    CollectString,
    Monty,
    MontyError,
    MontySession,
    ResourceLimits,
)

from senders.errors import SandboxUnavailable
from senders.sandbox.host_functions import HostCallGuard, host_modules
from senders.sandbox.limits import (
    MAX_HOST_CALLS,
    MAX_MEMORY_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_RECURSION,
    PARSER,
    Slots,
    TimeLimits,
)

logger = logging.getLogger(__name__)

MAX_PROCESSES = 2
# Limits of the kernel for each interpreter.
MAX_ADDRESS_SPACE = 1024 * 1024 * 1024
MAX_OPEN_FILES = 32
# The time for an interpreter to stop by itself before it is killed, and for a call of
# hmac or urllib that started in time.
GRACE_SECONDS = 0.1

_lock = threading.Lock()
_pool: Pool | None = None
_entered_in: int | None = None


class Pool:
    """At most two interpreters. Exceptions of Monty are not caught."""

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

    def run(
        self, program: str, inputs: dict[str, object], limits: TimeLimits
    ) -> object:
        """Return the value of a program's last line, run without any state."""
        guard = HostCallGuard(seconds=limits.run_seconds + GRACE_SECONDS)
        with self._checkout(guard, limits) as session:
            return session.feed_run(
                program,
                inputs=inputs,
                print_callback=CollectString(max_bytes=MAX_OUTPUT_BYTES),
            )

    def is_sound(self) -> bool:
        """Return whether the pool runs a trivial program."""
        try:
            return self.run("1", {}, PARSER) == 1
        except (MontyError, RuntimeError, OSError):
            return False

    def close(self) -> None:
        self._monty.__exit__(None, None, None)

    def _checkout(self, guard: HostCallGuard, limits: TimeLimits) -> MontySession:
        # Without a time limit, a worker would outlive a killed parent.
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
    """Return the pool of this process; raise SandboxUnavailable if it cannot start."""
    global _pool, _entered_in
    if _entered_in not in (None, os.getpid()):
        raise SandboxUnavailable(
            "The sandbox was started before this process was forked; "
            "each process must start its own"
        )
    _entered_in = os.getpid()
    with _lock:
        if _pool is None:
            _pool = _start()
        return _pool


def discard(pool: Pool) -> None:
    """Close a broken pool; the next call starts a new one."""
    global _pool
    with _lock:
        if _pool is pool:
            _pool = None
    pool.close()


def _start() -> Pool:
    """Start a pool, without the limits of the kernel if they cannot be set."""
    program = worker_program()
    if program is not None:
        pool = _try(program)
        if pool is not None:
            return pool
        logger.warning("Monty cannot be started with the limits of the kernel")
    pool = _try(None)
    if pool is None:
        raise SandboxUnavailable("The sandbox cannot be started")
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


@cache
def worker_program() -> str | None:
    """Return the path of a script that starts Monty with limits of the kernel.

    None if the programs of util-linux are missing: then only Monty's own limits apply.
    """
    prlimit, setpriv = shutil.which("prlimit"), shutil.which("setpriv")
    scripts = sysconfig.get_path("scripts")
    monty = shutil.which("monty", path=scripts) or shutil.which("monty")
    if prlimit and setpriv and monty:
        limits = f"--as={MAX_ADDRESS_SPACE} --nofile={MAX_OPEN_FILES} --fsize=0"
        prlimit, setpriv, monty = map(shlex.quote, (prlimit, setpriv, monty))
        script = _keep_in_memory(
            "#!/bin/sh\n"
            f'exec {prlimit} {limits} {setpriv} --no-new-privs {monty} "$@"\n'
        )
        if script is not None:
            return script
    logger.warning("Monty runs without the limits of prlimit and setpriv (util-linux)")
    return None


def _keep_in_memory(text: str) -> str | None:
    """Return the path of a script that disappears with this process, however it ends.

    None if the kernel does not execute files in memory.
    """
    try:
        file = os.memfd_create("monty-worker")
        os.write(file, text.encode())
        os.fchmod(file, 0o500)
    except (AttributeError, OSError):
        return None
    path = f"/proc/{os.getpid()}/fd/{file}"
    return path if os.access(path, os.X_OK) else None
