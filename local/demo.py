"""Whether a newcomer gets example triggers, and what they see of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.embedded.process import wait_until
from local.options import Options
from local.site import SiteSilentError, fetch

_FIRST_EXECUTION_TIMEOUT_SECONDS = 20
DEMO_EXECUTIONS = 3


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
    """Wait until each demo trigger's task succeeded; return the executions there are.

    Not longer than 20 s, so what comes back may be less. `check` may raise to give up
    waiting.
    """
    path = f"/api/v1/executions?page_size={DEMO_EXECUTIONS}"
    found: list[dict[str, Any]] = []

    def all_succeeded() -> bool:
        check()
        try:
            found[:] = fetch(url, path, token=token).get("executions", [])
        except SiteSilentError:
            return False
        return count_succeeded(found) == DEMO_EXECUTIONS

    wait_until(all_succeeded, timeout_seconds=_FIRST_EXECUTION_TIMEOUT_SECONDS)
    return found


def count_succeeded(executions: Sequence[Mapping[str, Any]]) -> int:
    """Return how many executions had their task done."""
    return sum(e.get("task_status") == "succeeded" for e in executions)


def _settled_mark(options: Options) -> Path:
    """Return a file that goes when the database goes."""
    return options.data / "postgres" / "demo-settled"
