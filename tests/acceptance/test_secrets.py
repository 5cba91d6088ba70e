"""A change of an endpoint in one web process applies in all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.client import Api, Request, path_of, send, send_all
from tests.acceptance.stack import Stack
from tests.senders.requests import hex_hmac

pytestmark = pytest.mark.acceptance

# Each on its own connection, so that both web processes get some.
REQUESTS = 20
FIRST, SECOND = "the first secret, long enough", "the second secret, as long"


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def agent(shared_agent: str) -> str:
    return shared_agent


@pytest.fixture
def hook(client: Api, agent: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    return client.make_trigger(
        name=request.node.name,
        agent_id=agent,
        trigger_type="webhook",
        webhook_config={"secret": FIRST},
    )


def deliver(stack: Stack, path: str, secret: str) -> set[int]:
    """Deliver on many connections; return the set of statuses."""
    body = b'{"a": 1}'
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Signature": hex_hmac(body, secret),
    }
    request = Request(path=path, body=body, headers=headers)
    answers = send_all(stack.url, [request] * REQUESTS, senders=REQUESTS)
    return {answer.status for answer in answers}


def count_events(stack: Stack) -> int:
    return stack.number("SELECT count(*) FROM events_event")


def test_every_process_rejects_a_secret_that_was_replaced(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    path = path_of(hook)
    assert deliver(stack, path, FIRST) == {200}
    before = count_events(stack)

    client.post(
        f"/triggers/{hook['id']}/rotate-secret",
        {"secret": SECOND, "keep_previous_seconds": 0},
    )

    assert deliver(stack, path, FIRST) == {401}
    assert count_events(stack) == before
    assert deliver(stack, path, SECOND) == {200}


def test_every_process_rejects_a_revoked_secret(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    path, url = path_of(hook), f"/triggers/{hook['id']}"
    client.post(f"{url}/rotate-secret", {"secret": SECOND})
    assert deliver(stack, path, FIRST) == deliver(stack, path, SECOND) == {200}

    client.post(f"{url}/revoke-secret", {"which": "previous"})

    assert deliver(stack, path, FIRST) == {401}
    assert deliver(stack, path, SECOND) == {200}


def test_every_process_rejects_an_old_url(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    assert deliver(stack, path_of(hook), FIRST) == {200}

    moved = client.post(f"/triggers/{hook['id']}/regenerate-webhook")

    assert deliver(stack, path_of(hook), FIRST) == {404}
    assert deliver(stack, path_of(moved), FIRST) == {200}


def test_exactly_one_of_many_triggers_gets_a_chosen_path(
    stack: Stack, client: Api, agent: str
) -> None:
    asked = [
        client.request(
            "POST",
            "/triggers",
            {
                "name": f"shop {number}",
                "agent_id": agent,
                "trigger_type": "webhook",
                "webhook_path": "orders/eu",
            },
        )
        for number in range(REQUESTS)
    ]

    answers = send_all(stack.url, asked, senders=REQUESTS)

    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] + [409] * (REQUESTS - 1)
    assert send(stack.url, Request(path="/webhooks/orders/eu")).status == 200
