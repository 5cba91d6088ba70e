"""Databases that earlier versions left behind migrate, and go on working."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from local.watchdog import Watchdog
from senders.signatures import sign_request
from tests.acceptance.client import Answer, Api, Request, send
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_until_equal
from tests.upgrade.databases import NAMES, EarlierDatabase, restored

pytestmark = pytest.mark.acceptance

DONE_SECONDS = 60
SUCCEEDED_TASKS = (
    "SELECT count(*) FROM executions_triggerexecution e "
    "JOIN agents_agenttask t ON t.id = e.task_id "
    "WHERE e.trigger_id = %s AND e.status = 'success' AND t.status = 'succeeded'"
)


@pytest.fixture(params=NAMES)
def database(request: pytest.FixtureRequest) -> Iterator[EarlierDatabase]:
    with restored(request.param) as database:
        yield database


@pytest.fixture
def stack(database: EarlierDatabase, tmp_path: Path) -> Iterator[Stack]:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with Watchdog(lock) as watchdog:
        stack = Stack(
            tmp_path,
            database_url=database.url,
            programs_url=database.url,
            api_token=database.facts["api_token"],
            guard=watchdog,
        )
        stack.environment |= database.environment
        try:
            yield stack
        finally:
            stack.close()
            os.close(lock)


def push(stack: Stack, database: EarlierDatabase, delivery_id: str) -> Answer:
    """Send a GitHub push to main, signed with the secret that the database holds."""
    body = json.dumps({"ref": "refs/heads/main", "pusher": {"name": "ana"}}).encode()
    signed = sign_request(
        "github",
        secret=database.facts["webhook_secret"],
        body=body,
        now=time.time(),
        delivery_id=delivery_id,
        event_type="push",
    )
    headers = {"Content-Type": "application/json", **signed.headers}
    path = database.facts["webhook_path"]
    return send(stack.url, Request(path=path, body=signed.body, headers=headers))


def submit_as_before(stack: Stack) -> str:
    """Make a task wait as one of an earlier version: with its own message."""
    [[task_id]] = stack.rows(
        "UPDATE agents_agenttask SET status = 'submitted', publications = 1, "
        "submitted_at = now(), next_attempt_at = now() + interval '10 minutes' "
        "WHERE id = (SELECT min(id::text)::uuid FROM agents_agenttask "
        "WHERE status = 'succeeded') RETURNING id::text"
    )
    url = f"redis+socket://{stack.broker_socket}"
    with Celery(broker=url, set_as_current=False) as app:
        app.send_task("agents.tasks.echo", args=(task_id,), queue="agents")
    return str(task_id)


def test_an_earlier_database_migrates_and_goes_on(
    database: EarlierDatabase, stack: Stack
) -> None:
    kept = {
        table: stack.number(f"SELECT count(*) FROM {table}")  # noqa: S608 - our names
        for table in database.facts["rows"]
    }
    assert kept == database.facts["rows"]

    old_task = submit_as_before(stack)
    stack.start("web", "worker", "agents")
    api = Api(stack)
    trigger = database.facts["push_trigger"]

    # Two pushes waited in the inbox when the earlier version was stopped.
    wait_until_equal(
        lambda: stack.number(SUCCEEDED_TASKS, trigger), 4, timeout_seconds=DONE_SECONDS
    )
    assert api.get(f"/tasks/{old_task}")["status"] == "succeeded"
    assert push(stack, database, "push-1").status == 409, "same id, another body"
    assert push(stack, database, "push-30").json["status"] == "accepted"
    wait_until_equal(
        lambda: stack.number(SUCCEEDED_TASKS, trigger), 5, timeout_seconds=DONE_SECONDS
    )
    assert (
        len(api.get("/triggers")["results"])
        == database.facts["rows"]["triggers_trigger"]
    )
    assert api.get(f"/executions?trigger_id={trigger}")["executions"]
    assert api.post(f"/triggers/{database.facts['every_second']}/run")
    api.post(f"/triggers/{database.facts['every_second']}/disable")
    [change] = api.get("/audit-log?object_type=trigger")["results"]
    assert change["reason"] == "by hand"
