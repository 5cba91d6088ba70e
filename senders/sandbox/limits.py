from __future__ import annotations

from dataclasses import dataclass

MAX_CODE_BYTES = 64 * 1024
MAX_INPUT_BYTES = 1_000_000
MAX_RESULT_BYTES = 64 * 1024
MAX_RESULT_DEPTH = 20
MAX_MEMORY_BYTES = 32 * 1024 * 1024
MAX_RECURSION = 100
MAX_HOST_CALLS = 100
MAX_OUTPUT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long code may run, and how long its caller waits for an interpreter."""

    run_seconds: float
    wait_seconds: float


PARSER = Limits(run_seconds=0.5, wait_seconds=5.0)
# A sender waits for the answer.
VALIDATOR = Limits(run_seconds=0.05, wait_seconds=0.05)
