"""PostgreSQL is read-only for a while, as hosted servers with a full disk are."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event as Flag
from typing import Self

import pytest
from psycopg import sql

from tests.acceptance.client import Api, Request, send, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for, wait_until_equal
from tests.chaos.load import Hook, Progress, count_tasks, make_hook
from tests.chaos.scale import IS_LONG
from tests.chaos.slow_app import MAY_END, NAP

pytestmark = pytest.mark.chaos

READ_ONLY_SECONDS = 30 if IS_LONG else 5
RETURN_SECONDS = 60
SENDERS = 4
# Two tasks run when the database becomes read-only; the third is claimed afterwards.
RUNNING = [("running", 1)] * 2
WAITING = [("submitted", 1)]
DONE = [("succeeded", 1)] * 3
PAUSE_SECONDS = 0.1


@pytest.fixture
def naps_may_end(tmp_path: Path) -> Path:
    return tmp_path / "naps-may-end"


@pytest.fixture
def hook(stack: Stack, client: Api, naps_may_end: Path) -> Hook:
    stack.environment["TICKHOOK_AGENT_TASKS"] = f"agents.tasks.echo,{NAP}"
    stack.environment[MAY_END] = str(naps_may_end)
    stack.start("web")
    stack.start("worker", "agents", app="tests.chaos.slow_app")
    return make_hook(stack, client)


@pytest.fixture
def napper(client: Api, hook: Hook) -> str:
    """Create a trigger whose tasks end when the test says so; return its id."""
    agent = client.post(
        "/agents", {"name": "napper", "backend": "celery", "config": {"task": NAP}}
    )
    trigger = client.make_trigger(
        name="naps", agent_id=agent["id"], trigger_type="manual"
    )
    return str(trigger["id"])


@contextmanager
def read_only(stack: Stack) -> Iterator[None]:
    """End all connections but the test's; new ones are read-only meanwhile."""
    name = sql.Identifier(stack.database.info.dbname)
    alter = sql.SQL("ALTER DATABASE {} ").format(name)
    change = "default_transaction_read_only"
    stack.database.execute(alter + sql.SQL(f"SET {change} = on"))
    stack.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        yield
    finally:
        stack.database.execute(alter + sql.SQL(f"RESET {change}"))


class Load:
    """Threads that send webhooks and use the API until they are stopped."""

    def __init__(self, hook: Hook, client: Api) -> None:
        self._hook, self._client = hook, client
        self._stopped = Flag()
        self._numbers = count()
        self.sent: dict[int, int] = {}
        self.pages: list[int] = []

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(SENDERS + 1)
        self._running = [self._pool.submit(self._deliver) for _ in range(SENDERS)]
        self._running.append(self._pool.submit(self._read))
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def check(self) -> None:
        """Raise what a thread raised."""
        for running in self._running:
            running.result()

    def request(self, number: int) -> Request:
        return Request(
            path=self._hook.path,
            body=json.dumps({"number": number}).encode(),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": str(number),
            },
        )

    def _deliver(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            number = next(self._numbers)
            answer = send(self._hook.stack.url, self.request(number))
            self.sent[number] = answer.status

    def _read(self) -> None:
        edited = f"/triggers/{self._hook.first_id}"
        requests = [
            self._client.request("GET", "/triggers"),
            self._client.request("PATCH", edited, {"description": "edited"}),
            Request(method="GET", path="/admin/login/"),
        ]
        while not self._stopped.wait(PAUSE_SECONDS):
            answers = send_all(self._hook.stack.url, requests, senders=1)
            self.pages += [answer.status for answer in answers]


def test_nothing_is_lost_and_the_only_error_is_503(
    stack: Stack,
    client: Api,
    hook: Hook,
    napper: str,
    naps_may_end: Path,
    note_figure: Callable[[str, object], None],
) -> None:
    for _ in DONE:
        client.post(f"/triggers/{napper}/run")
    wait_for(lambda: naps(stack) == RUNNING + WAITING, timeout_seconds=30)

    with Load(hook, client) as load:
        with read_only(stack):
            naps_may_end.touch()
            wait_for(lambda: "cannot be claimed yet" in log(stack), timeout_seconds=60)
            time.sleep(READ_ONLY_SECONDS)
            held = naps(stack)
        wait_for(lambda: load.sent[max(list(load.sent))] == 200, timeout_seconds=30)
    load.check()
    refused = [number for number, status in load.sent.items() if status != 200]
    again = send_all(stack.url, [load.request(number) for number in refused])

    wait_until_equal(lambda: done(hook), expected(load), timeout_seconds=RETURN_SECONDS)
    wait_for(lambda: naps(stack) == DONE, timeout_seconds=RETURN_SECONDS)
    note_figure("deliveries:", Counter(load.sent.values()))
    note_figure("pages:", Counter(load.pages))
    assert set(load.sent.values()) == {200, 503}
    assert set(load.pages) <= {200, 201, 202, 503}
    assert {answer.status for answer in again} == {200}
    assert held == RUNNING + WAITING
    assert log(stack).count("is stored") == len(RUNNING)


def log(stack: Stack) -> str:
    """Return the log of the agents' workers."""
    return "".join(path.read_text() for path in stack.logs.glob("agents-*.log"))


def naps(stack: Stack) -> list[tuple[str, int]]:
    rows = stack.rows(
        "SELECT t.status, t.attempt FROM agents_agenttask t "
        "JOIN agents_agent a ON a.id = t.agent_id WHERE a.name = 'napper' "
        "ORDER BY t.status, t.attempt"
    )
    return [(status, attempt) for status, attempt in rows]


def expected(load: Load) -> Progress:
    events = len(load.sent)
    return Progress(
        events=events,
        waiting=0,
        executions=2 * events,
        succeeded=count_tasks(events),
    )


def done(hook: Hook) -> Progress:
    """Return the progress of the webhook's events only."""
    number = hook.stack.number
    return Progress(
        events=number(
            "SELECT count(*) FROM events_event WHERE endpoint_id IS NOT NULL"
        ),
        waiting=number("SELECT count(*) FROM events_inbox"),
        executions=number(
            "SELECT count(*) FROM executions_triggerexecution x "
            "JOIN events_event e ON e.id = x.event_id WHERE e.endpoint_id IS NOT NULL "
            "AND x.status IN ('success', 'skipped')"
        ),
        succeeded=number(
            "SELECT count(*) FROM agents_agenttask t "
            "JOIN executions_triggerexecution x ON x.task_id = t.id "
            "JOIN events_event e ON e.id = x.event_id WHERE e.endpoint_id IS NOT NULL "
            "AND t.status = 'succeeded'"
        ),
    )
