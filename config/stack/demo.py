"""Whether a newcomer gets example triggers, and what they see of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.embedded.process import wait_until
from config.stack.options import Options
from config.stack.site import SiteSilentError, fetch

_FIRST_EXECUTION_TIMEOUT_SECONDS = 20
_SHOWN_EXECUTIONS = 5


def wants_demo(options: Options) -> bool:
    """Tell whether to load it: if asked to, else once into an embedded database."""
    if options.demo is not None:
        return options.demo
    return options.database_url is None and not _settled_mark(options).exists()


def settle_demo(options: Options) -> None:
    """Remember that this embedded database is not a new one any more."""
    if options.database_url is None:
        _settled_mark(options).touch(mode=0o600)


def first_executions(
    url: str, *, token: str, check: Callable[[], None]
) -> list[dict[str, Any]]:
    """Wait a moment for executions; return the newest ones, or none if none came.

    `check` may raise to give up waiting.
    """
    path = f"/api/v1/executions?page_size={_SHOWN_EXECUTIONS}"
    found: list[dict[str, Any]] = []

    def any_came() -> bool:
        check()
        try:
            found[:] = fetch(url, path, token=token).get("executions", [])
        except SiteSilentError:
            return False
        return bool(found)

    wait_until(any_came, timeout_seconds=_FIRST_EXECUTION_TIMEOUT_SECONDS)
    return found


def _settled_mark(options: Options) -> Path:
    """Return a file that goes when the database goes."""
    return options.data / "postgres" / "demo-settled"
