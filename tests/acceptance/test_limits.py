"""Limits and rejections over the two processes of a running web server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.client import Answer, Api, Request, path_of, send, send_all
from tests.acceptance.stack import PATIENT_WEB, Stack
from tests.acceptance.waiting import wait_until_equal
from tests.senders.requests import SECRET, hex_hmac

pytestmark = pytest.mark.acceptance

BODY = b"{}"


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def agent(shared_agent: str) -> str:
    return shared_agent


def make_hook(client: Api, agent: str, name: str, **rules: Any) -> str:
    """Create a trigger with a signed webhook; return its path."""
    hook = client.make_trigger(
        name=name,
        agent_id=agent,
        trigger_type="webhook",
        webhook_config={"secret": SECRET},
        validation_rules=rules,
    )
    return path_of(hook)


def requests(path: str, count: int, *, signature: str) -> list[Request]:
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": signature}
    return [Request(path=path, body=BODY, headers=headers)] * count


def count_status(answers: list[Answer], status: int) -> int:
    return sum(answer.status == status for answer in answers)


def test_a_limit_is_one_for_all_processes(
    stack: Stack, client: Api, agent: str
) -> None:
    path = make_hook(client, agent, "limited", rate_limit={"per_minute": 10})
    before = stack.number("SELECT count(*) FROM events_event")

    answers = send_all(stack.url, requests(path, 30, signature=hex_hmac(BODY)))

    assert count_status(answers, 200) == 10
    assert count_status(answers, 429) == 20
    assert stack.number("SELECT count(*) FROM events_event") == before + 10


def test_refusals_just_before_a_stop_are_counted(
    stack: Stack, client: Api, agent: str
) -> None:
    path = make_hook(client, agent, "forged")
    before, stored = count_forged(stack), count_stored(stack)

    answers = send_all(stack.url, requests(path, 300, signature="0" * 64))
    stack.stop("web")
    refused = count_forged(stack) - before
    stack.start("web", app=PATIENT_WEB)

    assert count_status(answers, 401) == 300
    assert refused == 300
    # Each of the two processes stores five a minute.
    assert 1 <= count_stored(stack) - stored <= 20


def test_refusals_are_stored_while_the_server_runs(
    stack: Stack, client: Api, agent: str
) -> None:
    path = make_hook(client, agent, "seen")
    before = count_forged(stack)

    [forged] = requests(path, 1, signature="0" * 64)
    send(stack.url, forged)

    wait_until_equal(lambda: count_forged(stack), before + 1, timeout_seconds=60)


def count_forged(stack: Stack) -> int:
    return stack.number(
        "SELECT coalesce(sum(count), 0) FROM webhooks_rejectioncount "
        "WHERE cause = 'invalid_signature'"
    )


def count_stored(stack: Stack) -> int:
    return stack.number(
        "SELECT count(*) FROM webhooks_rejection WHERE cause = 'invalid_signature'"
    )
