from __future__ import annotations

import pytest

from executions.models import ExecutionStatus, TriggerExecution
from executions.pipeline.drain import drain
from executions.services.following import what_became_of
from tests.factories import make_listener, record

pytestmark = pytest.mark.django_db


def test_an_event_that_waits_in_the_inbox_is_undecided() -> None:
    event = record()

    assert what_became_of(event.id) is None


def test_an_event_that_nobody_hears_has_become_nothing() -> None:
    event = record()
    drain()

    assert what_became_of(event.id) == []


def test_what_an_event_has_become_is_told_by_ids_and_states() -> None:
    make_listener()
    event = record()
    drain()

    execution = TriggerExecution.objects.get()
    assert what_became_of(event.id) == [
        {
            "execution_id": str(execution.id),
            "trigger_id": str(execution.trigger_id),
            "status": "success",
            "reason": "",
            "task_id": str(execution.task_id),
        }
    ]


@pytest.mark.parametrize("status", [ExecutionStatus.PENDING, ExecutionStatus.RUNNING])
def test_an_execution_under_way_is_undecided(status: str) -> None:
    make_listener()
    event = record()
    drain()
    TriggerExecution.objects.update(status=status)

    assert what_became_of(event.id) is None
