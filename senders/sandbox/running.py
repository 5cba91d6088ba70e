from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic_monty import (
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
)

from senders.errors import SandboxRefused, SandboxTimedOut, SandboxUnavailable
from senders.sandbox.limits import (
    MAX_HOST_CALLS,
    MAX_MEMORY_BYTES,
    MAX_OUTPUT_BYTES,
    TimeLimits,
)
from senders.sandbox.pool import MAX_PROCESSES, Pool, current_pool, discard

logger = logging.getLogger(__name__)


def run_program(
    program: str, *, inputs: Mapping[str, Any], limits: TimeLimits
) -> object:
    """Return the value of a program's last line.

    Raise SandboxRefused if the program is at fault, SandboxUnavailable if it is not.
    """
    pool = current_pool()
    with pool.slots.hold(wait_seconds=limits.wait_seconds):
        try:
            return _run(pool, program, dict(inputs), limits)
        except (MontyRuntimeError, MontySyntaxError) as error:
            raise _to_refusal(error, limits, may_quote=not inputs) from None
        except ValueError:
            raise SandboxRefused("It returned a value of no usable type") from None
        except TimeoutError as error:
            raise SandboxUnavailable from error
        except (MontyError, RuntimeError, OSError) as error:
            logger.error("The sandbox broke: %s", type(error).__name__)
            discard(pool)
            raise SandboxUnavailable from error


def _run(
    pool: Pool, program: str, inputs: dict[str, Any], limits: TimeLimits
) -> object:
    """Run the program; if the interpreter is dead, try again in the others.

    An interpreter may have died while it was idle. If all of them die, and the pool
    works otherwise, the program kills them.
    """
    for _ in range(MAX_PROCESSES):
        with suppress(MontyCrashedError):
            return _run_once(pool, program, inputs, limits)
    try:
        return _run_once(pool, program, inputs, limits)
    except MontyCrashedError:
        if not pool.is_sound():
            raise
    raise SandboxRefused("It crashed its interpreter")


def _run_once(
    pool: Pool, program: str, inputs: dict[str, Any], limits: TimeLimits
) -> object:
    try:
        return pool.run(program, inputs, limits)
    except MontyCrashedError as error:
        if error.timed_out:
            raise _out_of_time(limits) from None
        raise


def _to_refusal(
    error: MontyRuntimeError | MontySyntaxError, limits: TimeLimits, *, may_quote: bool
) -> SandboxRefused:
    """Return an error that says what happened, and in which line.

    The text of an exception may contain a secret, unless the program had no inputs.
    """
    text, kind = str(error), type(error.exception()).__name__
    if kind == "TimeoutError" and "time limit exceeded" in text:
        return _out_of_time(limits)
    if kind == "MemoryError":
        return SandboxRefused(
            f"It needs more than {MAX_MEMORY_BYTES >> 20} MB of memory, "
            f"or prints more than {MAX_OUTPUT_BYTES >> 10} KB"
        )
    if kind == "RuntimeError" and "suspension" in text:
        return SandboxRefused(
            f"It calls hmac and urllib more than {MAX_HOST_CALLS} times"
        )
    frames = error.traceback()
    line = f" in line {frames[-1].line}" if frames else ""
    message = f": {error.display('msg')[:200]}" if may_quote else ""
    return SandboxRefused(f"{kind}{line}{message}")


def _out_of_time(limits: TimeLimits) -> SandboxTimedOut:
    return SandboxTimedOut(f"It ran longer than {limits.run_seconds * 1000:.0f} ms")
