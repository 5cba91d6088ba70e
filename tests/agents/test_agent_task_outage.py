from __future__ import annotations

import pytest
from django.db import OperationalError

from agents import agent_task as module
from agents.agent_task import Ending
from agents.models import AgentTask, TaskStatus
from agents.services.run import claim_task
from agents.services.submit import submit_tasks
from tests.factories import make_task

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_succeeded_while_the_database_was_away_is_reported_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = make_task()
    submit_tasks([task.id])
    claimed = claim_task(task_id=task.id)
    assert claimed is not None
    outages = [OperationalError("gone"), OperationalError("still gone")]
    pauses: list[int] = []
    finish = module._finish

    def flaky(task: AgentTask, ending: Ending) -> None:
        if outages:
            raise outages.pop()
        finish(task, ending)

    monkeypatch.setattr(module, "_finish", flaky)
    monkeypatch.setattr("agents.agent_task.time.sleep", pauses.append)

    module._run(lambda _: {"done": True}, claimed)

    task.refresh_from_db()
    assert (task.status, task.result) == (TaskStatus.SUCCEEDED, {"done": True})
    assert pauses == [1, 2]
