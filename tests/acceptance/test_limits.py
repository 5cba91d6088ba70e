"""Limits and rejections over the two processes of a running web server."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest

from tests.acceptance.client import Answer, Api, Request, path_of, send, send_all
from tests.acceptance.stack import PATIENT_WEB, Stack
from tests.acceptance.waiting import wait_until_equal
from tests.senders.requests import SECRET, hex_hmac

pytestmark = pytest.mark.acceptance

BODY = b"{}"
COUNTED = (
    "coalesce(sum(count) FILTER (WHERE cause = 'invalid_signature'), 0) "
    "FROM webhooks_rejectioncount"
)
STORED = "count(*) FILTER (WHERE cause = 'invalid_signature') FROM webhooks_rejection"


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def agent(shared_agent: str) -> str:
    return shared_agent


def make_hook(client: Api, agent: str, name: str, **rules: Any) -> dict[str, Any]:
    """Create a trigger with a signed webhook."""
    return client.make_trigger(
        name=name,
        agent_id=agent,
        trigger_type="webhook",
        webhook_config={"secret": SECRET},
        validation_rules=rules,
    )


def requests(hook: dict[str, Any], count: int, *, signature: str) -> list[Request]:
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": signature}
    return [Request(path=path_of(hook), body=BODY, headers=headers)] * count


def count_status(answers: list[Answer], status: int) -> int:
    return sum(answer.status == status for answer in answers)


def test_a_limit_is_one_for_all_processes(
    stack: Stack, client: Api, agent: str
) -> None:
    hook = make_hook(client, agent, "limited", rate_limit={"per_minute": 10})

    answers = send_all(stack.url, requests(hook, 30, signature=hex_hmac(BODY)))

    assert count_status(answers, 200) == 10
    assert count_status(answers, 429) == 20
    assert count_rows(stack, hook, "count(*) FROM events_event") == 10


def test_refusals_just_before_a_stop_are_counted(
    stack: Stack, client: Api, agent: str
) -> None:
    hook = make_hook(client, agent, "forged")

    answers = send_all(stack.url, requests(hook, 300, signature="0" * 64))
    stack.stop("web")
    refused, stored = count_forged(stack, hook), count_rows(stack, hook, STORED)
    stack.start("web", app=PATIENT_WEB)

    assert count_status(answers, 401) == 300
    assert refused == 300
    # Each of the two processes stores five a minute.
    assert 1 <= stored <= 20


def test_refusals_are_stored_while_the_server_runs(
    stack: Stack, client: Api, agent: str
) -> None:
    hook = make_hook(client, agent, "seen")

    [forged] = requests(hook, 1, signature="0" * 64)
    send(stack.url, forged)

    wait_until_equal(lambda: count_forged(stack, hook), 1, timeout_seconds=60)


def count_forged(stack: Stack, hook: dict[str, Any]) -> int:
    return count_rows(stack, hook, COUNTED)


def count_rows(stack: Stack, hook: dict[str, Any], counted: LiteralString) -> int:
    """Return a number of rows of the hook's endpoint: other tests share the stack."""
    return stack.number(f"SELECT {counted} WHERE endpoint_id = %s", hook["endpoint_id"])
