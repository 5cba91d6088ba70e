"""The number of Celery messages for a burst of webhooks, and lost messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from events.nudge import KEY
from tests.acceptance.client import Api, Request, path_of, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for, wait_until_equal
from tests.conditions.builders import rule, rules

pytestmark = pytest.mark.acceptance

BURST = 500
FEW = 50


@pytest.fixture(scope="module")
def hook(stack: Stack, client: Api) -> dict[str, Any]:
    """Create a webhook whose conditions are never met: each message is a nudge."""
    stack.start("web")
    return client.make_trigger(
        name="never",
        agent_id=client.make_echo_agent(),
        trigger_type="webhook",
        conditions=rules(rule("body.never", "eq", True)),
    )


def send_burst(
    stack: Stack, hook: dict[str, Any], note: Callable[[str, object], None]
) -> None:
    headers = {"Content-Type": "application/json"}
    request = Request(path=path_of(hook), body=b'{"never": false}', headers=headers)
    answers = send_all(stack.url, [request] * BURST)
    note("seconds of sending:", round(sum(a.seconds for a in answers) / 8, 2))
    assert {answer.status for answer in answers} == {200}


def count_waiting(stack: Stack) -> int:
    return stack.number("SELECT count(*) FROM events_inbox")


def count_messages(stack: Stack) -> int:
    """Return how many messages were published so far: each is one LPUSH."""
    with closing(stack.broker_client()) as broker:
        statistics: Any = broker.info("commandstats")
    return int(statistics.get("cmdstat_lpush", {}).get("calls", 0))


def test_a_burst_costs_few_messages_while_no_worker_runs(
    stack: Stack, hook: dict[str, Any], note_figure: Callable[[str, object], None]
) -> None:
    before, waiting = count_messages(stack), count_waiting(stack)

    send_burst(stack, hook, note_figure)

    wait_for(lambda: count_messages(stack) > before, timeout_seconds=60)
    messages = count_messages(stack) - before
    note_figure("messages:", messages)
    assert 1 <= messages < FEW
    assert count_waiting(stack) == waiting + BURST


def test_a_burst_costs_few_messages_while_a_worker_drains(
    stack: Stack, hook: dict[str, Any], note_figure: Callable[[str, object], None]
) -> None:
    stack.start("worker")
    wait_until_equal(lambda: count_waiting(stack), 0, timeout_seconds=60)
    before = count_messages(stack)

    send_burst(stack, hook, note_figure)

    wait_until_equal(lambda: count_waiting(stack), 0, timeout_seconds=60)
    messages = count_messages(stack) - before
    note_figure("messages:", messages)
    stack.kill("worker")
    assert 1 <= messages < FEW


def test_a_nudge_of_a_dead_worker_delays_nothing(
    stack: Stack, hook: dict[str, Any]
) -> None:
    stack.start("worker")
    wait_until_equal(lambda: count_waiting(stack), 0, timeout_seconds=60)
    with closing(stack.broker_client()) as broker:
        broker.set(KEY, 1, px=600_000)

        before = count_messages(stack)
        send_all(stack.url, [Request(path=path_of(hook), body=b"{}")])

        assert count_messages(stack) == before
        wait_until_equal(lambda: count_waiting(stack), 0, timeout_seconds=60)
    stack.kill("worker")
