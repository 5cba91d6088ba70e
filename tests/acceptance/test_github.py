"""GitHub's own payloads, sent to a running web server and worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.environment import ROOT
from tests.acceptance.client import Answer, Api, Request, path_of, send
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_until_equal
from tests.conditions.builders import rule, rules
from tests.senders.requests import hex_hmac

pytestmark = pytest.mark.acceptance

SECRET = "a secret that GitHub knows as well"  # noqa: S105 - made up for the tests
OWN = ROOT / "tests" / "webhooks" / "fixtures"
# A larger collection of recorded payloads, if it is available.
RECORDED = ROOT.parent / "shared" / "fixtures" / "github"
PAYLOADS = sorted([*OWN.glob("*__*.json"), *RECORDED.glob("*__*.json")])

Outcomes = set[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A GitHub webhook, and the triggers that listen to its events."""

    stack: Stack
    api: Api
    path: str

    def deliver(
        self, body: bytes, *, event: str, delivery_id: str, signed: bytes | None = None
    ) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery_id,
            "X-Hub-Signature-256": f"sha256={hex_hmac(signed or body, SECRET)}",
        }
        return send(self.stack.url, Request(path=self.path, body=body, headers=headers))

    def outcomes(self, event_id: str) -> Outcomes:
        executions = self.api.get(f"/executions?event_id={event_id}")["executions"]
        return {(e["trigger_name"], e["status"], e["reason"]) for e in executions}

    def count_events(self) -> int:
        return self.stack.number("SELECT count(*) FROM events_event")


@pytest.fixture(scope="module")
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture(scope="module")
def repository(stack: Stack, client: Api, shared_agent: str) -> Repository:
    """Create triggers for all deliveries, for "opened", for pushes and another type."""
    hook: dict[str, Any] = client.make_trigger(
        name="all",
        agent_id=shared_agent,
        trigger_type="webhook",
        webhook_type="github",
        webhook_config={"secret": SECRET},
    )
    client.make_trigger(
        name="opened",
        agent_id=shared_agent,
        trigger_type="webhook",
        endpoint_id=hook["endpoint_id"],
        conditions=rules(rule("body.action", "eq", "opened")),
    )
    for name, pattern in {
        "pushes": "github.push",
        "elsewhere": "standardwebhooks.*",
    }.items():
        client.make_trigger(
            name=name,
            agent_id=shared_agent,
            trigger_type="event",
            event_types=[pattern],
        )
    return Repository(stack=stack, api=client, path=path_of(hook))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: path.stem)
def test_a_payload_becomes_one_event_and_the_right_executions(
    repository: Repository, payload: Path
) -> None:
    body, event = payload.read_bytes(), payload.stem.partition("__")[0]
    delivery_id, before = str(uuid4()), repository.count_events()

    answer = repository.deliver(body, event=event, delivery_id=delivery_id)

    assert answer.status == 200
    event_id = answer.json["event_id"]
    wait_until_equal(
        lambda: repository.outcomes(event_id),
        expected_outcomes(body, event),
        timeout_seconds=60,
    )
    assert repository.count_events() == before + 1
    assert repository.api.get_bytes(f"/events/{event_id}/body") == body
    stored = repository.api.get(f"/events/{event_id}")
    assert (stored["type"], stored["delivery_id"]) == (f"github.{event}", delivery_id)


def expected_outcomes(body: bytes, event: str) -> Outcomes:
    is_opened = json.loads(body).get("action") == "opened"
    outcomes = {
        ("all", "success", ""),
        ("opened", "success", "")
        if is_opened
        else ("opened", "skipped", "conditions_not_met"),
    }
    return outcomes | ({("pushes", "success", "")} if event == "push" else set())


def test_a_changed_byte_is_refused_and_leaves_no_event(repository: Repository) -> None:
    body = PAYLOADS[0].read_bytes()
    changed = body.replace(b'"', b"'", 1)
    before = repository.count_events()

    answer = repository.deliver(
        changed, event="push", delivery_id=str(uuid4()), signed=body
    )

    assert answer.status == 401
    assert repository.count_events() == before


def test_a_redelivery_is_answered_with_the_first_event(repository: Repository) -> None:
    body, delivery_id = PAYLOADS[0].read_bytes(), str(uuid4())
    first = repository.deliver(body, event="push", delivery_id=delivery_id)
    before = repository.count_events()

    second = repository.deliver(body, event="push", delivery_id=delivery_id)

    assert (first.json["status"], second.json["status"]) == ("accepted", "duplicate")
    assert second.json["event_id"] == first.json["event_id"]
    assert repository.count_events() == before
