"""`Prefer: wait=N` (RFC 7240): the answer carries what became of the event.

Whoever waits holds a thread, so at most a quarter of them wait; more are answered at
once. Nobody who waits holds a database connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.4

Executions = list[dict[str, Any]]


def wanted_seconds(prefer: str) -> int:
    """Return how long the header Prefer asks to wait; 0 if it doesn't, or not well."""
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            is_number = digits.isascii() and digits.isdigit() and len(digits) < 10
            return int(digits) if is_number else 0
    return 0


def wait_for_executions(event_id: UUID, *, seconds: float) -> Executions | None:
    """Return an event's executions once all is decided; None if that takes longer.

    None at once if as many wait already as may.
    """
    if seconds <= 0 or not _places().acquire(blocking=False):
        return None
    try:
        return _poll(event_id, deadline=time.monotonic() + seconds)
    finally:
        _places().release()


def _poll(event_id: UUID, *, deadline: float) -> Executions | None:
    ask: Callable[[UUID], Executions | None] = import_string(
        settings.TICKHOOK_FINAL_EXECUTIONS
    )
    pause = FIRST_PAUSE_SECONDS
    while True:
        executions = ask(event_id)
        left = deadline - time.monotonic()
        if executions is not None or left <= 0:
            return executions
        connection.close()
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.TICKHOOK_WEB_THREADS // 4))
