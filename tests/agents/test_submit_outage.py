from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import InterfaceError

from agents.models import AgentTask, TaskStatus
from agents.services.submit import submit_tasks
from tests.factories import make_task
from tests.memory_backend import MemoryBackend

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_connection_that_breaks_while_tasks_are_submitted_blames_no_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def fail(_: MemoryBackend, tasks: Sequence[AgentTask]) -> None:
        tries.append(len(tasks))
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(MemoryBackend, "submit", fail)
    tasks = [make_task(), make_task()]

    with pytest.raises(InterfaceError):
        submit_tasks([task.id for task in tasks])

    assert tries == [2]
    assert "can't be submitted" not in caplog.text
    assert set(AgentTask.objects.values_list("status", flat=True)) == {
        TaskStatus.SUBMITTED
    }
