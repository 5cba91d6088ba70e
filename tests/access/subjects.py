"""What a subject has, for tests of callers that are bound to one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agents.models import AgentTask
from events.models import Event
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_created
from tests.webhooks.received import accept, reject
from triggers.models import Trigger
from webhooks.models import Rejection, WebhookEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What one subject has: a webhook trigger, and what a delivery to it became."""

    trigger: Trigger
    endpoint: WebhookEndpoint
    event: Event
    execution: TriggerExecution
    task: AgentTask
    rejection: Rejection

    @property
    def ids(self) -> set[str]:
        rows = (
            *(self.trigger, self.event, self.execution, self.task, self.endpoint),
            self.rejection,
        )
        return {str(row.pk) for row in rows}


def make_rows(subject: str) -> Rows:
    trigger = make_created(
        name=f"name of {subject}",
        trigger_type="webhook",
        subject=subject,
        webhook={},
    ).trigger
    assert trigger.endpoint is not None
    event = accept(trigger.endpoint, b'{"secret":"' + subject.encode() + b'-body"}')
    drain()
    execution = TriggerExecution.objects.get(trigger=trigger)
    assert execution.task is not None
    return Rows(
        trigger=trigger,
        endpoint=trigger.endpoint,
        event=event,
        execution=execution,
        task=execution.task,
        rejection=reject(trigger.endpoint),
    )


@pytest.fixture
def acme() -> Rows:
    return make_rows("acme")


@pytest.fixture
def other() -> Rows:
    return make_rows("other")


@pytest.fixture
def everyone() -> Rows:
    return make_rows("")
