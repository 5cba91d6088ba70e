"""What the terminal shows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from local.demo import DEMO_EXECUTIONS, count_succeeded
from local.options import Options

_HEADINGS = ("trigger", "execution", "task", "reason")
_COLUMNS = ("trigger_name", "status", "task_status", "reason")


def say(line: str) -> None:
    """Show a line at once, also where the output is a file or a pipe."""
    _show(line, sys.stdout)


def say_error(line: str) -> None:
    _show(line, sys.stderr)


def where_to_look(options: Options, credentials: Mapping[str, str | None]) -> str:
    """Return the page a newcomer reads when everything runs."""
    rows = {
        "Admin": f"{options.url}/admin/   {_login(credentials, 'admin')}",
        "API": f"{options.url}/api/docs",
        "Workers": f"{options.flower_url}   {_login(credentials, 'flower')}",
        "API token": credentials["api_token"] or "manage.py create_api_token USER",
        "Data, logs": f"{options.data}",
    }
    lines = [f"  {title:<11} {text}" for title, text in rows.items()]
    return "\n".join(["", "Tickhook is running.", "", *lines, "", "Stop: Ctrl-C"])


def _login(credentials: Mapping[str, str | None], kind: str) -> str:
    password = credentials[f"{kind}_password"] or "(the one you chose)"
    return f"{credentials[f'{kind}_username']} / {password}"


def executions_table(executions: Sequence[Mapping[str, Any]], *, logs: Path) -> str:
    """Return the first executions as a table, and what is amiss, if something is."""
    lines = ["", "First executions, as the API tells them:", "", _line(_HEADINGS)]
    lines += [_line([str(e.get(key) or "-") for key in _COLUMNS]) for e in executions]
    return "\n".join([*lines, *_complaint(executions, logs)])


def _line(cells: Sequence[str]) -> str:
    return f"  {cells[0]:<28} {cells[1]:<11} {cells[2]:<13} {cells[3]}".rstrip()


def _complaint(executions: Sequence[Mapping[str, Any]], logs: Path) -> list[str]:
    """Say which program to look at when the demo did not get through."""
    if len(executions) < DEMO_EXECUTIONS:
        missing = DEMO_EXECUTIONS - len(executions)
        program, what = (
            "worker",
            f"{missing} events wait: the worker has not taken them",
        )
    elif count_succeeded(executions) < DEMO_EXECUTIONS:
        program, what = "agents", "Not every task has succeeded yet"
    else:
        return []
    return ["", f"  {what}. See {logs / program}.log"]


def _show(line: str, stream: TextIO) -> None:
    # A closed terminal must not keep the stack from ending its processes.
    with contextlib.suppress(OSError):
        stream.write(f"{line}\n")
        stream.flush()
