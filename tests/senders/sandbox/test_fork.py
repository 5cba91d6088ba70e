from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.waiting import wait_for
from tests.senders.sandbox.processes import is_worker, workers_of

DEADLINE_SECONDS = 120

# Its interpreter survives unless it notices that its parent has ended.
KEEP_RUNNING = """
import sys
from tests.senders.sandbox.code import ECHO
from senders.sandbox import run_parser
run_parser(ECHO, body=1, headers={}, config={})
print("ready", flush=True)
sys.stdin.read()
"""


def fork(*, first: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the results of the calls of the parent and of its children."""
    done = subprocess.run(  # noqa: S603 (this Python, a script of ours)
        [sys.executable, "-m", "tests.senders.sandbox.forking", first],
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    parent, *children = json.loads(done.stdout)
    return parent, children


def test_each_child_process_starts_its_own_sandbox() -> None:
    parent, children = fork(first="children")

    assert parent["said"] == [parent["pid"]]
    assert [child["said"] for child in children] == [[c["pid"]] * 2 for c in children]
    assert all(child["workers"] for child in children)


def test_a_child_of_a_process_with_a_sandbox_gets_an_error_and_does_not_hang() -> None:
    parent, children = fork(first="parent")

    assert parent["said"] == [parent["pid"]] * 2
    for child in children:
        assert child["workers"] == []
        assert len(child["said"]) == 2
        assert all("started before this process was forked" in s for s in child["said"])


def test_no_interpreter_outlives_its_process() -> None:
    parent, children = fork(first="children")

    workers = [
        worker for process in (parent, *children) for worker in process["workers"]
    ]

    assert len(workers) >= 4
    wait_for(lambda: not any(map(is_worker, workers)), timeout_seconds=60)


def test_no_interpreter_outlives_a_killed_process() -> None:
    with running() as process:
        workers = workers_of(process.pid)
        assert workers

        process.send_signal(signal.SIGKILL)

        wait_for(lambda: not any(map(is_worker, workers)), timeout_seconds=60)


@contextmanager
def running() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 (this Python, a script of ours)
        [sys.executable, "-c", KEEP_RUNNING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()
