"""What the terminal shows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from config.stack.options import Options


def say(line: str) -> None:
    """Show a line at once, also where the output is a file or a pipe."""
    _show(line, sys.stdout)


def say_error(line: str) -> None:
    _show(line, sys.stderr)


def where_to_look(options: Options, credentials: Mapping[str, str | None]) -> str:
    """Return the page a newcomer reads when everything runs."""
    password = credentials["admin_password"] or "(the one you chose)"
    login = f"{credentials['admin_username']} / {password}"
    rows = {
        "Admin": f"{options.url}/admin/   {login}",
        "API": f"{options.url}/api/docs",
        "Workers": options.flower_url,
        "API token": f"{credentials['api_token']}",
        "Data, logs": f"{options.data}",
    }
    lines = [f"  {title:<11} {text}" for title, text in rows.items()]
    return "\n".join(["", "Tickhook is running.", "", *lines, "", "Stop: Ctrl-C"])


def executions_table(executions: Sequence[Mapping[str, Any]]) -> str:
    """Return a few executions as lines: what ran, how it ended, and why."""
    lines = ["", "First executions:"]
    for execution in executions:
        name = str(execution.get("trigger_name", ""))
        status = str(execution.get("status", ""))
        reason = str(execution.get("reason") or "")
        lines.append(f"  {status:<10} {name:<32} {reason}".rstrip())
    return "\n".join(lines)


def _show(line: str, stream: TextIO) -> None:
    # A closed terminal must not keep the stack from ending its processes.
    with contextlib.suppress(OSError):
        stream.write(f"{line}\n")
        stream.flush()
