"""What one web process changes of an endpoint holds in all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.client import Api, Request, path_of, send, send_all
from tests.acceptance.stack import Stack
from tests.senders.requests import hex_hmac

pytestmark = pytest.mark.acceptance

# Each on a connection of its own: the web processes share them out.
REQUESTS = 20
FIRST, SECOND = "the first secret, long enough", "the second secret, as long"


@pytest.fixture(scope="module")
def agent(stack: Stack, client: Api) -> str:
    stack.start("web")
    return client.make_echo_agent()


@pytest.fixture
def hook(client: Api, agent: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    return client.make_trigger(
        name=request.node.name,
        agent_id=agent,
        trigger_type="webhook",
        webhook_config={"secret": FIRST},
    )


def knock(stack: Stack, path: str, secret: str) -> set[int]:
    """Deliver from many connections; return the statuses that were answered."""
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


def test_a_secret_that_was_ended_is_refused_by_every_process(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    path = path_of(hook)
    assert knock(stack, path, FIRST) == {200}
    before = count_events(stack)

    client.post(
        f"/triggers/{hook['id']}/rotate-secret",
        {"secret": SECOND, "keep_previous_seconds": 0},
    )

    assert knock(stack, path, FIRST) == {401}
    assert count_events(stack) == before
    assert knock(stack, path, SECOND) == {200}


def test_a_revoked_secret_is_refused_by_every_process(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    path, url = path_of(hook), f"/triggers/{hook['id']}"
    client.post(f"{url}/rotate-secret", {"secret": SECOND})
    assert knock(stack, path, FIRST) == knock(stack, path, SECOND) == {200}

    client.post(f"{url}/revoke-secret", {"which": "previous"})

    assert knock(stack, path, FIRST) == {401}
    assert knock(stack, path, SECOND) == {200}


def test_an_old_url_is_unknown_to_every_process(
    stack: Stack, client: Api, hook: dict[str, Any]
) -> None:
    assert knock(stack, path_of(hook), FIRST) == {200}

    moved = client.post(f"/triggers/{hook['id']}/regenerate-webhook")

    assert knock(stack, path_of(hook), FIRST) == {404}
    assert knock(stack, path_of(moved), FIRST) == {200}


def test_of_many_who_choose_one_path_one_gets_it(
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
