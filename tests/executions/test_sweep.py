from __future__ import annotations

import pytest
from django.db import OperationalError

from agents.models import AgentTask, TaskStatus
from common.database.errors import DatabaseAway
from events.models import Inbox
from executions import sweep as sweeping
from executions.models import TriggerExecution
from executions.sweep import STEPS, sweep
from tests.factories import make_listener, record
from tests.races import race
from triggers.models import TriggerStats

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sweep_does_what_no_message_asked_for() -> None:
    trigger = make_listener()
    record()

    sweep()

    assert TriggerExecution.objects.get().status == "success"
    assert AgentTask.objects.get().status == TaskStatus.SUBMITTED
    assert TriggerStats.objects.get(pk=trigger.pk).total_executions == 1
    assert not Inbox.objects.exists()


@pytest.mark.parametrize(
    "error", [OperationalError("gone"), DatabaseAway(), RuntimeError("ours")]
)
def test_a_step_that_fails_keeps_no_other_from_its_work(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fail() -> int:
        raise error

    def work() -> int:
        done.append("work")
        return 1

    monkeypatch.setattr(sweeping, "STEPS", (fail, work))

    sweep()

    assert done == ["work"]
    assert "Sweep: fail failed" in caplog.text


def test_sweeps_beside_each_other_do_everything_once() -> None:
    trigger = make_listener()
    for _ in range(20):
        record()

    race(sweep)
    sweep()

    assert TriggerExecution.objects.count() == AgentTask.objects.count() == 20
    assert TriggerStats.objects.get(pk=trigger.pk).total_executions == 20


def test_tasks_are_submitted_after_they_are_made() -> None:
    names = [step.__name__ for step in STEPS]

    assert names.index("take_back_orphans") < names.index("drain")
    assert names.index("drain") < names.index("submit_overdue")
