"""The code of an agent crashes, forks, never ends, while its processes are killed."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from tests.acceptance.client import Api, Request, path_of, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for, wait_until_equal
from tests.agents.celery_events import captured_events
from tests.chaos.scale import IS_LONG, SEEDS, dice
from tests.chaos.unruly_app import NOTES, OBEY
from tests.chaos.victims import kill_child

pytestmark = pytest.mark.chaos

SHORT = 2000 if IS_LONG else 200
LONG_SECONDS = [1.0] * 30 + [60.0] * 2 if IS_LONG else [0.3] * 6 + [2.0] * 2
KILLS = 6 if IS_LONG else 2
TIMEOUT_SECONDS = 90 if IS_LONG else 4
RETURN_SECONDS = 400 if IS_LONG else 120
MOST_IN_A_CHUNK = 20
UNRULY = ("crash", "vanish", "fork", "leave", "never end")
ENDS = {"leave": "failed", "never end": "timeout"}
EVENTS = {
    "succeeded": "task-succeeded",
    "failed": "task-failed",
    "timeout": "task-failed",
}


def make_demands(chance: random.Random) -> list[dict[str, Any]]:
    demands: list[dict[str, Any]] = [{"act": act} for act in UNRULY * 2]
    demands += [{"act": "sleep", "seconds": seconds} for seconds in LONG_SECONDS]
    demands += [{"act": "sleep", "seconds": 0.005} for _ in range(SHORT)]
    chance.shuffle(demands)
    return [{**demand, "number": number} for number, demand in enumerate(demands)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_task_ends_once_or_is_marked_as_a_further_attempt(
    stack: Stack, client: Api, tmp_path: Path, seed: int
) -> None:
    chance = dice(seed)
    demands, notes = make_demands(chance), tmp_path / "notes"
    stack.environment["TICKHOOK_AGENT_TASKS"] = f"agents.tasks.echo,{OBEY}"
    stack.environment[NOTES] = str(notes)
    stack.start("web")
    stack.start("worker", "agents", app="tests.chaos.unruly_app")
    path = make_trigger(client)

    url = f"redis+socket://{stack.broker_socket}"
    celery = Celery(broker=url, set_as_current=False)
    with celery, captured_events(celery) as events:
        requests = [Request(path=path, body=json.dumps(d).encode()) for d in demands]
        assert {answer.status for answer in send_all(stack.url, requests)} == {200}
        for _ in range(KILLS):
            wait_for(lambda: count(stack, "running"), timeout_seconds=60)
            kill_child(stack.pid_of("agents"), chance)
        wait_until_equal(
            lambda: count(stack, "pending", "submitted", "running"),
            0,
            timeout_seconds=RETURN_SECONDS,
        )
        wait_for(lambda: has_the_ends(stack, events), timeout_seconds=30)

    assert_each_ended_as_it_should(stack, demands)
    assert_no_attempt_ran_twice(stack, notes)
    assert_events_name_each_task(stack, events)


def make_trigger(client: Api) -> str:
    """Create the unruly agent and a trigger for it; return its webhook's path."""
    agent = client.post(
        "/agents",
        {
            "name": "unruly",
            "backend": "celery",
            "config": {"task": OBEY},
            "task_timeout_seconds": TIMEOUT_SECONDS,
        },
    )
    trigger = client.make_trigger(
        name="demands", agent_id=agent["id"], trigger_type="webhook"
    )
    return path_of(trigger)


def count(stack: Stack, *statuses: str) -> int:
    query = "SELECT count(*) FROM agents_agenttask WHERE status = ANY(%s)"
    return stack.number(query, list(statuses))


def ends_of(events: list[dict[str, Any]]) -> dict[str, str]:
    """Return the last event of each task that has ended."""
    kinds = set(EVENTS.values())
    return {e["uuid"]: e["type"] for e in list(events) if e["type"] in kinds}


def has_the_ends(stack: Stack, events: list[dict[str, Any]]) -> bool:
    """Return whether tasks have events of their ends.

    A process that is killed between the two loses those of the tasks that it has just
    stored.
    """
    ids = {row[0] for row in stack.rows("SELECT id::text FROM agents_agenttask")}
    return len(ids - ends_of(events).keys()) <= MOST_IN_A_CHUNK * KILLS


def assert_each_ended_as_it_should(stack: Stack, demands: list[dict[str, Any]]) -> None:
    rows = stack.rows(
        "SELECT (parameters->'trigger_data'->'body'->>'number')::int, status, attempt, "
        "result->>'attempt' FROM agents_agenttask"
    )
    assert len(rows) == len(demands)
    for number, status, attempt, of_result in rows:
        assert status == ENDS.get(demands[number]["act"], "succeeded"), number
        assert of_result == (str(attempt) if status == "succeeded" else None)
    again = Counter(attempt for *_, attempt, _ in rows)
    deaths = KILLS + 4 + again[3] + again[4]
    assert len(rows) - again[1] <= MOST_IN_A_CHUNK * deaths


def assert_no_attempt_ran_twice(stack: Stack, notes: Path) -> None:
    begun = Counter(notes.read_text().split("\n")[:-1])
    assert set(begun.values()) == {1}


def assert_events_name_each_task(stack: Stack, events: list[dict[str, Any]]) -> None:
    rows = stack.rows("SELECT id::text, title, status FROM agents_agenttask")
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["type"].startswith("task-") and event.get("name", OBEY) == OBEY:
            by_task[event["uuid"]].append(event)
    ends = ends_of(events)
    for task_id, title, status in rows:
        kinds = [event["type"] for event in by_task[task_id]]
        assert kinds[:1] == ["task-received"]
        # A process that is killed loses what it had not sent: the start with the end.
        assert "task-started" in kinds or task_id not in ends
        assert by_task[task_id][0]["args"] == repr((task_id, "unruly", title))
        assert ends.get(task_id, EVENTS[status]) == EVENTS[status]
