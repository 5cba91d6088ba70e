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

from senders.sandbox.errors import SandboxRefused, SandboxTimedOut, SandboxUnavailable
from senders.sandbox.limits import (
    MAX_HOST_CALLS,
    MAX_MEMORY_BYTES,
    MAX_OUTPUT_BYTES,
    Limits,
)
from senders.sandbox.pool import MAX_PROCESSES, Pool, current_pool, discard

logger = logging.getLogger(__name__)


def execute(program: str, *, inputs: Mapping[str, Any], limits: Limits) -> object:
    """Return the value of a program's last line.

    Raise SandboxRefused for what the program does, SandboxUnavailable for what it
    can't help.
    """
    pool = current_pool()
    with pool.slots.hold(wait_seconds=limits.wait_seconds):
        try:
            return _run(pool, program, dict(inputs), limits)
        except (MontyRuntimeError, MontySyntaxError) as error:
            raise _refusal(error, limits, may_quote=not inputs) from None
        except ValueError:
            raise SandboxRefused("It returned what can't be handed over") from None
        except TimeoutError as error:
            raise SandboxUnavailable from error
        except (MontyError, RuntimeError, OSError) as error:
            logger.error("The sandbox broke: %s", type(error).__name__)
            discard(pool)
            raise SandboxUnavailable from error


def _run(pool: Pool, program: str, inputs: dict[str, Any], limits: Limits) -> object:
    """Run in another interpreter if one is dead: it may have died before.

    All that were idle may have. After those, it is the program that kills them.
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
    pool: Pool, program: str, inputs: dict[str, Any], limits: Limits
) -> object:
    try:
        return pool.run(program, inputs, limits)
    except MontyCrashedError as error:
        if error.timed_out:
            raise _out_of_time(limits) from None
        raise


def _refusal(
    error: MontyRuntimeError | MontySyntaxError, limits: Limits, *, may_quote: bool
) -> SandboxRefused:
    """Say what happened and where.

    An exception's own text may hold a secret, unless the program was given nothing.
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
        return SandboxRefused(f"It calls more than {MAX_HOST_CALLS} functions of ours")
    said = f": {error.display('msg')[:200]}" if may_quote else ""
    return SandboxRefused(f"{kind}{_line_of(error)}{said}")


def _out_of_time(limits: Limits) -> SandboxTimedOut:
    return SandboxTimedOut(f"It ran longer than {limits.run_seconds * 1000:.0f} ms")


def _line_of(error: MontyRuntimeError | MontySyntaxError) -> str:
    frames = error.traceback()
    return f" in line {frames[-1].line}" if frames else ""
