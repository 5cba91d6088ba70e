from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from webhooks.sandbox.errors import SandboxUnavailable

_running: dict[object, object] = {}


@contextmanager
def alone(key: object | None) -> Iterator[None]:
    """Let one at a time in under a key; the next is told at once to come again.

    So one endpoint whose code is slow can't take every thread of a process. None is
    no key: all may pass.
    """
    if key is None:
        yield
        return
    ours = object()
    if _running.setdefault(key, ours) is not ours:
        raise SandboxUnavailable("The code of this webhook is just running; try again")
    try:
        yield
    finally:
        del _running[key]
