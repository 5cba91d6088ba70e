"""Events of a generic webhook in the inbox, and the triggers of their endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from agents.models import Agent, AgentTask, TaskStatus
from agents.services.hints import announce_tasks
from benchmarks.body import HOLDS, HOLDS_NOT, REQUEST_HEADERS, Rule, push_body
from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, record_events
from executions.models import TriggerExecution
from triggers.models import TriggerType
from triggers.services.lifecycle import create_trigger
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookEndpoint

RECORDED_AT_ONCE = 500


def make_triggers(agent: Agent | None = None) -> None:
    """Create an endpoint with two triggers, by default for an agent on Celery."""
    if agent is None:
        config = {"task": "agents.tasks.echo", "queue": "agents"}
        agent = Agent.objects.create(name="echo", backend="celery", config=config)
        # As if the agent's worker had run before: one measurement has none.
        announce_tasks(["agents"], hinted=["agents.tasks.echo"], others=[])
    endpoint = create_endpoint().endpoint
    for name, rule in (("holds", HOLDS), ("holds not", HOLDS_NOT)):
        _make_trigger(name, rule, agent, endpoint)


@contextmanager
def waiting(count: int) -> Iterator[None]:
    endpoint_id = WebhookEndpoint.objects.get().id
    with transaction.atomic():
        for start in range(0, count, RECORDED_AT_ONCE):
            size = min(RECORDED_AT_ONCE, count - start)
            record_events([new_event(endpoint_id) for _ in range(size)])
        yield


def count_executions() -> int:
    return TriggerExecution.objects.count()


def count_submitted() -> int:
    return AgentTask.objects.filter(status=TaskStatus.SUBMITTED).count()


def count_started() -> int:
    return AgentTask.objects.filter(started_at__isnull=False).count()


def _make_trigger(
    name: str, rule: Rule, agent: Agent, endpoint: WebhookEndpoint
) -> None:
    prefixed = {**rule, "field": f"payload.{rule['field']}"}
    fields = {
        "name": name,
        "agent": agent,
        "trigger_type": TriggerType.WEBHOOK,
        "endpoint": endpoint,
        "conditions": {"type": "rule", "rules": [prefixed]},
        "max_executions_per_hour": None,
    }
    create_trigger(fields=fields)


def new_event(endpoint_id: UUID) -> NewEvent:
    request = {"method": "POST", "headers": REQUEST_HEADERS, "query": {}}
    return NewEvent(
        type="generic.received",
        source=EventSource.WEBHOOK,
        body=push_body(),
        request=dump_json(request),
        endpoint_id=endpoint_id,
    )
