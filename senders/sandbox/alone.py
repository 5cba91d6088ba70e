from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from senders.sandbox.errors import SandboxUnavailable
from senders.sandbox.limits import VALIDATOR

# Ample for code that is quick; behind code that is slow, nobody waits.
MAX_WAIT_SECONDS = 1.0

_changed = threading.Condition()
_running: set[object] = set()
_slow: set[object] = set()


@contextmanager
def alone(key: object | None) -> Iterator[None]:
    """Let one at a time in under a key; the others wait for their turn.

    While what ran last under the key was slow, they are told at once to come again: so
    one endpoint whose code is slow can't take every thread of a process. None is no
    key: all may pass.
    """
    if key is None:
        yield
        return
    _enter(key)
    started = time.monotonic()
    try:
        yield
    finally:
        _leave(key, is_slow=time.monotonic() - started >= VALIDATOR.run_seconds)


def _enter(key: object) -> None:
    def is_decided() -> bool:
        return key not in _running or key in _slow

    with _changed:
        _changed.wait_for(is_decided, MAX_WAIT_SECONDS)
        if key in _running:
            raise SandboxUnavailable(
                "The code of this webhook is just running; try again"
            )
        _running.add(key)


def _leave(key: object, *, is_slow: bool) -> None:
    with _changed:
        _running.discard(key)
        if is_slow:
            _slow.add(key)
        else:
            _slow.discard(key)
        _changed.notify_all()
