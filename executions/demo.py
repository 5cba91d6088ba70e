"""The demo: three triggers of different types, and their events."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import orjson
from django.utils import timezone

from agents.models import Agent
from agents.services.agents import save_agent
from events.services.emit import emit
from senders.signatures import sign_request
from triggers.models import Trigger
from triggers.services.lifecycle import create_trigger
from webhooks.endpoints.lifecycle import EndpointFields
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint

AGENT = "Demo: echo"
PUSH = "Demo: push to main"
INTERVAL = "Demo: every minute"
INVOICE = "Demo: invoice over 1,000"
FIRST_RUN_AFTER = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTrigger:
    name: str
    fields: dict[str, Any]
    event_types: tuple[str, ...] = ()
    webhook: EndpointFields | None = None


def load_triggers() -> None:
    """Create the demo's agent and triggers unless they exist."""
    agent = Agent.objects.filter(name=AGENT).first() or save_agent(
        Agent(), name=AGENT, backend="celery", config={"task": "agents.tasks.echo"}
    )
    for demo in _triggers():
        if not Trigger.objects.present().filter(name=demo.name).exists():
            create_trigger(
                fields={"name": demo.name, "agent": agent, **demo.fields},
                event_types=demo.event_types,
                webhook=demo.webhook,
                created_by="demo",
            )


def send_push(*, url: str) -> int:
    """POST a signed GitHub push to the demo's webhook; return the HTTP status."""
    endpoint = WebhookEndpoint.objects.get(
        triggers__name=PUSH, triggers__deleted_at=None
    )
    body = orjson.dumps(_push())
    signed = sign_request(
        endpoint.type,
        secret=live_secrets(endpoint)[0],
        body=body,
        now=time.time(),
        delivery_id=str(uuid4()),
        event_type="push",
    )
    answer = httpx2.post(
        f"{url}/webhooks/{endpoint.webhook_id}",
        content=signed.body,
        headers={"Content-Type": "application/json", **signed.headers},
        timeout=10,
        trust_env=False,
    )
    return answer.status_code


def emit_invoice() -> None:
    """Emit an `invoice.paid` that meets the demo's condition."""
    payload = {"invoice_id": "INV-1001", "customer_id": "acme", "amount": 1250}
    emit("invoice.paid", payload, subject="acme")


def _triggers() -> tuple[DemoTrigger, ...]:
    return (
        DemoTrigger(
            name=PUSH,
            fields={
                "trigger_type": "webhook",
                "description": "A signed webhook as GitHub sends it, and a rule on it.",
                "conditions": _rule("body.ref", "equals", "refs/heads/main"),
                "parameter_mapping": {"pushed_by": "body.pusher.name"},
            },
            webhook={"type_slug": "github"},
        ),
        DemoTrigger(
            name=INTERVAL,
            fields={
                "trigger_type": "cron",
                "description": "An interval counts from its start and does not drift.",
                "schedule_type": "interval",
                "schedule_config": {"interval_seconds": 60},
                "start_at": timezone.now() + FIRST_RUN_AFTER,
            },
        ),
        DemoTrigger(
            name=INVOICE,
            fields={
                "trigger_type": "event",
                "description": "A domain event that the application emits.",
                "conditions": _rule("body.amount", "greater_than", 1000),
            },
            event_types=("invoice.paid",),
        ),
    )


def _rule(field: str, operator: str, value: object) -> dict[str, Any]:
    rule = {"field": field, "operator": operator, "value": value}
    return {"type": "rule", "rules": [rule]}


def _push() -> dict[str, object]:
    return {
        "ref": "refs/heads/main",
        "repository": {"full_name": "ana/shop"},
        "pusher": {"name": "ana"},
        "commits": [{"message": "Round totals to the cent"}],
    }
