from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MAX_ARGUMENT_LENGTH = 1_000_000

_PLAIN = (str, bytes, int, bool, type(None))


class Guard:
    """Stands between the code and the functions of this process that it may call.

    These run on our time, which no limit of the interpreter counts. And the text of
    an exception would reach the code, with paths of this machine in it.
    """

    def __init__(self, *, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: object, **kwargs: object) -> Any:
            if time.monotonic() > self._deadline:
                raise TimeoutError("time limit exceeded")
            if not all(map(_is_small, (*args, *kwargs.values()))):
                raise ValueError("an argument is not text, or too long")
            try:
                return function(*args, **kwargs)
            except Exception:  # noqa: BLE001 - whatever it is, its text stays here
                raise ValueError("the arguments can't be used") from None

        return guarded


def _is_small(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= MAX_ARGUMENT_LENGTH
    return isinstance(value, _PLAIN)
