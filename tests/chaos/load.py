"""Thousands of webhooks, and the check of their executions and tasks."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

from tests.acceptance.client import (
    Answer,
    Api,
    Request,
    Site,
    path_of,
    send_all,
)
from tests.acceptance.waiting import wait_until_equal
from tests.conditions.builders import rule, rules

_FIRST = 100
_HEADERS = {"Content-Type": "application/json"}


class Observed(Site, Protocol):
    """A site whose database the test can query."""

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]: ...

    def number(self, query: LiteralString, *values: object) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The numbers of events, executions and tasks so far."""

    events: int
    waiting: int
    executions: int
    succeeded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook with two triggers: for all deliveries, and for the first hundred."""

    stack: Observed
    path: str
    all_id: str
    first_id: str

    def send(self, payloads: Sequence[object]) -> list[Answer]:
        """Send each payload once; fail if one is not accepted."""
        requests = [
            Request(path=self.path, body=json.dumps(p).encode(), headers=_HEADERS)
            for p in payloads
        ]
        answers = send_all(self.stack.url, requests)
        assert {answer.status for answer in answers} == {200}
        return answers

    def progress(self) -> Progress:
        """Count the rows; final executions once for each trigger and event."""
        number = self.stack.number
        return Progress(
            events=number("SELECT count(*) FROM events_event"),
            waiting=number("SELECT count(*) FROM events_inbox"),
            executions=number(
                "SELECT count(DISTINCT (trigger_id, event_id)) "
                "FROM executions_triggerexecution "
                "WHERE status IN ('success', 'skipped')"
            ),
            succeeded=number(
                "SELECT count(*) FROM agents_agenttask WHERE status = 'succeeded'"
            ),
        )

    def wait_until_done(self, events: int, *, timeout_seconds: float) -> None:
        """Wait until each event is processed and each of its tasks has succeeded."""
        done = Progress(
            events=events,
            waiting=0,
            executions=2 * events,
            succeeded=count_tasks(events),
        )
        wait_until_equal(self.progress, done, timeout_seconds=timeout_seconds)

    def tasks(self) -> list[dict[str, Any]]:
        """Return each task with its trigger, body, attempt and result."""
        rows = self.stack.rows(
            "SELECT x.trigger_id::text, t.parameters->'trigger_data'->'body', "
            "t.attempt, t.result FROM agents_agenttask t "
            "JOIN executions_triggerexecution x ON x.task_id = t.id"
        )
        names = ("trigger_id", "body", "attempt", "result")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def assert_tasks_match(self, payloads: Sequence[object]) -> None:
        """Compare the tasks' parameters and results with the payloads."""
        tasks = self.tasks()
        given = sorted((t["trigger_id"], json.dumps(t["body"])) for t in tasks)
        sent = [(self.all_id, json.dumps(payload)) for payload in payloads]
        sent += [(self.first_id, json.dumps(payload)) for payload in payloads[:_FIRST]]
        assert given == sorted(sent)
        for task in tasks:
            assert task["result"]["attempt"] == task["attempt"]
            assert task["result"]["received"]["trigger_data"]["body"] == task["body"]


def make_hook(stack: Observed, api: Api, **fields: object) -> Hook:
    """Create the triggers; `fields` are further fields of the first."""
    agent = api.make_echo_agent()
    for_all = api.make_trigger(
        name="all", agent_id=agent, trigger_type="webhook", **fields
    )
    for_first = api.make_trigger(
        name="the first hundred",
        agent_id=agent,
        trigger_type="webhook",
        endpoint_id=for_all["endpoint_id"],
        conditions=rules(rule("body.number", "lt", _FIRST)),
    )
    return Hook(
        stack=stack,
        path=path_of(for_all),
        all_id=for_all["id"],
        first_id=for_first["id"],
    )


def count_tasks(events: int) -> int:
    """Return the number of tasks for a number of events."""
    return events + min(events, _FIRST)


def make_payloads(chance: random.Random, count: int) -> list[dict[str, object]]:
    return [
        {"number": number, "text": chance.randbytes(chance.randrange(200)).hex()}
        for number in range(count)
    ]
