from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic_monty import ExternalModule

from senders.sandbox.host.guard import Guard
from senders.sandbox.host.hmac_module import hmac_module
from senders.sandbox.host.urllib_module import urllib_module


def host_modules(guard: Guard) -> Mapping[str, Callable[[], ExternalModule]]:
    """Return what code may import besides the interpreter's own modules."""
    return {
        "hmac": lambda: hmac_module(guard),
        "urllib": lambda: urllib_module(guard),
    }
