"""The output of the stack in the terminal, and the demo that it shows."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from local.embedded.process import wait_until
from local.environment import Options

DEMO_EXECUTIONS = 3
_FIRST_EXECUTION_TIMEOUT_SECONDS = 20
_REQUEST_TIMEOUT_SECONDS = 5
_HEADINGS = ("trigger", "execution", "task", "reason")
_COLUMNS = ("trigger_name", "status", "task_status", "reason")


def say(line: str) -> None:
    """Show a line at once, also if the output is a file or a pipe."""
    _show(line, sys.stdout)


def say_error(line: str) -> None:
    _show(line, sys.stderr)


def _show(line: str, stream: TextIO) -> None:
    # A closed terminal must not keep the stack from ending its processes.
    with contextlib.suppress(OSError):
        stream.write(f"{line}\n")
        stream.flush()


def where_to_look(options: Options, credentials: Mapping[str, str | None]) -> str:
    """Return the page that says that everything runs, and under which addresses."""
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
    """Return the first executions as a table, with a hint if some did not succeed."""
    lines = ["", "First executions, as the API returns them:", "", _line(_HEADINGS)]
    lines += [_line([str(e.get(key) or "-") for key in _COLUMNS]) for e in executions]
    return "\n".join([*lines, *_hint(executions, logs)])


def _line(cells: Sequence[str]) -> str:
    return f"  {cells[0]:<28} {cells[1]:<11} {cells[2]:<13} {cells[3]}".rstrip()


def _hint(executions: Sequence[Mapping[str, Any]], logs: Path) -> list[str]:
    """Return which log to read if not every task of the demo succeeded."""
    missing = DEMO_EXECUTIONS - len(executions)
    if missing > 0:
        what = f"{missing} events wait: the worker has not processed them"
        log = logs / "worker.log"
    elif _count_succeeded(executions) < DEMO_EXECUTIONS:
        what = "Not every task has succeeded yet"
        log = logs / "agents.log"
    else:
        return []
    return ["", f"  {what}. See {log}"]


def should_load_demo(options: Options) -> bool:
    """Return TICKHOOK_DEMO; if it is not set, load the demo once, if embedded."""
    if options.demo is not None:
        return options.demo
    return options.database_url is None and not _demo_mark(options).exists()


def mark_demo_done(options: Options) -> None:
    """Record that this embedded database is not a new one any more."""
    if options.database_url is None:
        _demo_mark(options).touch(mode=0o600)


def _demo_mark(options: Options) -> Path:
    """Return a file that is deleted with the database."""
    return options.data / "postgres" / "demo-settled"


def wait_for_demo(
    url: str, *, token: str, check: Callable[[], None]
) -> list[dict[str, Any]]:
    """Wait until each demo trigger's task succeeded; return the executions there are.

    It waits 20 s at most, so executions can be missing. An exception from `check` ends
    the wait.
    """
    path = f"/api/v1/executions?page_size={DEMO_EXECUTIONS}"
    found: list[dict[str, Any]] = []

    def all_succeeded() -> bool:
        check()
        try:
            found[:] = fetch_json(url, path, token=token).get("executions", [])
        except RequestFailedError:
            return False
        return _count_succeeded(found) == DEMO_EXECUTIONS

    wait_until(all_succeeded, timeout_seconds=_FIRST_EXECUTION_TIMEOUT_SECONDS)
    return found


def _count_succeeded(executions: Sequence[Mapping[str, Any]]) -> int:
    return sum(e.get("outcome") == "succeeded" for e in executions)


class RequestFailedError(RuntimeError):
    """The site did not answer with 200 and a JSON body."""


def is_ready(url: str) -> bool:
    """Return whether the site at `url` answers that it can accept work."""
    try:
        return _get(url, "/readyz").status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def fetch_json(url: str, path: str, *, token: str) -> dict[str, Any]:
    """Return the API's answer at `path`; raise RequestFailedError if there is none."""
    try:
        answer = _get(url, path, token=token)
        if answer.status != http.client.OK:
            raise RequestFailedError(f"{path} answered {answer.status}")
        content: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RequestFailedError(f"{path} did not answer: {error}") from error
    return content


def _get(url: str, path: str, *, token: str = "") -> http.client.HTTPResponse:
    """Send a GET request without the proxies that the environment may name."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_REQUEST_TIMEOUT_SECONDS
    )
    headers = {"Authorization": f"Token {token}"} if token else {}
    connection.request("GET", path, headers={"Connection": "close", **headers})
    return connection.getresponse()
