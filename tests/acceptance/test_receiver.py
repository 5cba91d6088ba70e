"""The receiver in a real web server: two processes, many connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.acceptance.client import Answer, Api, Request, path_of, send, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_until_equal

pytestmark = pytest.mark.acceptance

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def agent(shared_agent: str) -> str:
    return shared_agent


def make_hook(client: Api, agent: str, **fields: Any) -> str:
    """Create a trigger with an endpoint of its own; return the endpoint's path."""
    made = client.make_trigger(
        name=f"hook {uuid4()}", agent_id=agent, trigger_type="webhook", **fields
    )
    return path_of(made)


def delivery(path: str, body: bytes = b"{}", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(path=path, body=body, headers={**JSON, **named})


def count_of(stack: Stack, delivery_id: str) -> int:
    query = "SELECT count(*) FROM events_event WHERE delivery_id = %s"
    return stack.number(query, delivery_id)


def test_a_delivery_sent_a_hundred_times_is_one_event(
    stack: Stack, client: Api, agent: str
) -> None:
    path = make_hook(client, agent, description="once")
    again = [delivery(path, webhook_id="once-1")] * 100

    answers = send_all(stack.url, again, senders=50)

    answered = Counter((a.status, a.json["status"]) for a in answers)
    assert answered == {(200, "accepted"): 1, (200, "duplicate"): 99}
    assert len({a.json["event_id"] for a in answers}) == 1
    assert count_of(stack, "once-1") == 1


def test_the_same_id_with_another_body_is_a_recorded_conflict(
    stack: Stack, client: Api, agent: str
) -> None:
    path = make_hook(client, agent, description="conflict")
    bodies = [delivery(path, b"%d" % n, webhook_id="twice-1") for n in range(20)]

    answers = send_all(stack.url, bodies, senders=20)

    assert Counter(a.status for a in answers) == {200: 1, 409: 19}
    assert count_of(stack, "twice-1") == 1
    rejected = "SELECT count(*) > 0 FROM webhooks_rejection WHERE cause = %s"
    wait_until_equal(
        lambda: stack.rows(rejected, "delivery_id_conflict"),
        [(True,)],
        timeout_seconds=60,
    )


def test_a_new_secret_holds_for_the_very_next_request(
    stack: Stack, client: Api, agent: str
) -> None:
    """In both processes, and in a batch with requests that are accepted."""
    other = make_hook(client, agent, description="others")
    made = client.make_trigger(
        name=f"hook {uuid4()}", agent_id=agent, trigger_type="webhook"
    )
    path = path_of(made)
    assert {a.status for a in send_all(stack.url, [delivery(path)] * 32)} == {200}

    client.patch(
        f"/triggers/{made['id']}",
        {"webhook_config": {"secret": "a-new-secret-of-some-length"}},
    )

    both = [delivery(path), delivery(other)] * 32
    answers = send_all(stack.url, both, senders=32)
    assert [a.status for a in answers] == [401, 200] * 32


def test_a_sender_that_prefers_to_wait_gets_the_outcome(
    stack: Stack, client: Api, agent: str
) -> None:
    config = {"max_wait_seconds": 10}
    path = make_hook(client, agent, webhook_config=config)

    answer = send(stack.url, delivery(path, Prefer="wait=10"))

    [execution] = answer.json["executions"]
    assert execution["status"] == "success"
    assert execution["task_id"]


def test_waiting_senders_do_not_delay_others(
    stack: Stack, client: Api, agent: str, note_figure: Callable[[str, object], None]
) -> None:
    """As many senders wait as there are threads, and no worker processes events."""
    path = make_hook(client, agent, webhook_config={"max_wait_seconds": 10})
    stack.stop("worker")
    waiting = [delivery(path, Prefer="wait=10")] * 8
    others = [delivery(path)] * 20

    answers: list[Answer] = send_all(stack.url, waiting + others, senders=28)

    stack.start("worker")
    assert {a.status for a in answers} == {200}
    assert {tuple(a.json["executions"]) for a in answers} == {()}
    slowest = max(a.seconds for a in answers[8:])
    note_figure("slowest answer without waiting, seconds:", slowest)
    assert slowest < max(a.seconds for a in answers[:8])
