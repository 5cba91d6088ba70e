from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from agents.models import AgentTask, TaskStatus, Turn
from agents.services.workers import current_worker
from common.database.errors import DatabaseAway
from events.models import Inbox
from executions import sweep as sweeping
from executions.models import TriggerExecution
from executions.sweep import INSTALLATION_STEPS, PROCESS_STEPS, sweep
from tests.factories import make_listener, record
from tests.races import race
from triggers.models import TriggerStats

pytestmark = pytest.mark.django_db(transaction=True)


def run_every_step() -> None:
    for step in (*PROCESS_STEPS, *INSTALLATION_STEPS):
        step()


def test_a_sweep_processes_events_without_a_message() -> None:
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
def test_a_failing_step_does_not_stop_the_others(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fail() -> int:
        raise error

    def work() -> int:
        done.append("work")
        return 1

    monkeypatch.setattr(sweeping, "PROCESS_STEPS", (fail, work))
    monkeypatch.setattr(sweeping, "INSTALLATION_STEPS", (fail, work))

    sweep()

    assert done == ["work", "work"]
    assert "Sweep: fail failed" in caplog.text


def test_sweeps_at_the_same_time_do_everything_once() -> None:
    trigger = make_listener()
    for _ in range(20):
        record()

    race(sweep)
    run_every_step()

    assert TriggerExecution.objects.count() == AgentTask.objects.count() == 20
    assert TriggerStats.objects.get(pk=trigger.pk).total_executions == 20


def test_tasks_are_submitted_after_they_are_created() -> None:
    names = [step.__name__ for step in (*PROCESS_STEPS, *INSTALLATION_STEPS)]

    assert names.index("reclaim_orphans") < names.index("drain")
    assert names.index("drain") < names.index("submit_due_tasks")
    assert names.index("resubmit_lost_tasks") < names.index("submit_due_tasks")


class Counted:
    """A step that counts its calls and moves a fake clock."""

    def __init__(self, found: int = 0, *, seconds: float = 0) -> None:
        self.__name__ = "counted"
        self.calls = 0
        self.now = 1000.0
        self._found = found
        self._seconds = seconds

    def __call__(self) -> int:
        self.calls += 1
        self.now += self._seconds
        return self._found


@pytest.fixture
def each(monkeypatch: pytest.MonkeyPatch) -> Counted:
    step = Counted()
    monkeypatch.setattr(sweeping, "PROCESS_STEPS", (step,))
    return step


def use_for_installation(
    step: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "INSTALLATION_STEPS", (step,))
    monkeypatch.setattr(sweeping, "_held_since", None)


def test_eight_processes_sweep_once_and_drain_each(
    each: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Counted()
    use_for_installation(step, monkeypatch)
    monkeypatch.setattr(sweeping, "EVERY_SECONDS", 3600)
    monkeypatch.setattr(sweeping, "MAX_REST_SECONDS", 3600)

    race(sweep)

    assert step.calls == 1
    assert each.calls == 8


@pytest.mark.usefixtures("each")
@pytest.mark.parametrize(
    ("found", "seconds", "pause"),
    [(0, 0.01, 1.5), (0, 0.5, 10), (0, 60, 30), (1, 0.5, 1.5)],
)
def test_sweeps_that_find_nothing_take_a_twentieth_of_the_time(
    found: int, seconds: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Counted(found, seconds=seconds)
    use_for_installation(step, monkeypatch)
    clock = SimpleNamespace(monotonic=lambda: step.now)
    monkeypatch.setattr(sweeping, "time", clock)
    pauses: list[float] = []
    monkeypatch.setattr(
        sweeping, "finish_turn", lambda _, *, seconds, keeps: pauses.append(seconds)
    )

    sweep()

    assert pauses == [pytest.approx(pause)]


@pytest.mark.usefixtures("each")
def test_a_process_whose_step_fails_gives_up_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> int:
        raise OperationalError("gone")

    use_for_installation(fail, monkeypatch)
    sweep()
    passed_on = Turn.objects.get().holder
    use_for_installation(Counted(), monkeypatch)
    Turn.objects.all().delete()
    sweep()

    assert passed_on != current_worker()
    assert Turn.objects.get().holder == current_worker()


@pytest.mark.usefixtures("each")
def test_a_process_gives_up_its_turn_after_five_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_for_installation(Counted(), monkeypatch)
    monkeypatch.setattr(sweeping, "_held_since", time.monotonic() - 301)

    sweep()

    assert Turn.objects.get().holder != current_worker()


def test_a_process_that_cannot_take_a_turn_still_drains(
    each: Counted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(sweeping, "take_turn", fail)

    sweep()

    assert each.calls == 1
    assert "Sweep: no turn: OperationalError" in caplog.text
