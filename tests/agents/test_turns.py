from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F

from agents.models import Turn
from agents.services import turns
from agents.services.turns import rest, take_turn
from common.ids import uuid7
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600


class Processes:
    """Lets each thread, or the test itself, act as a process of its own."""

    def __init__(self) -> None:
        self._acting = threading.local()

    def act_as(self, worker_id: UUID) -> None:
        self._acting.id = worker_id

    def current(self) -> UUID:
        if not hasattr(self._acting, "id"):
            self._acting.id = uuid7()
        worker_id: UUID = self._acting.id
        return worker_id


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Processes whose turns last so long that a slow machine changes nothing."""
    made = Processes()
    monkeypatch.setattr(turns, "current_worker", made.current)
    monkeypatch.setattr(turns, "HOLD_SECONDS", 5 * HOUR)
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 3 * HOUR)
    return made


def let_pass(hours: int) -> None:
    Turn.objects.update(next_at=F("next_at") - timedelta(hours=hours))


@pytest.mark.usefixtures("processes")
def test_one_of_eight_processes_has_the_turn() -> None:
    for _ in range(ROUNDS):
        assert sum(race(lambda: take_turn("work"))) == 1
        let_pass(60)


@pytest.mark.usefixtures("processes")
def test_a_turn_that_rests_is_taken_by_no_process() -> None:
    take_turn("work")
    rest("work", seconds=HOUR, keeps=True)

    assert race(lambda: take_turn("work")) == [False] * 8
    assert not take_turn("work")


def test_the_holder_goes_on_before_any_other_process(processes: Processes) -> None:
    holder, other = uuid7(), uuid7()
    processes.act_as(holder)
    take_turn("work")
    rest("work", seconds=2 * HOUR, keeps=True)
    let_pass(4)

    processes.act_as(other)
    assert not take_turn("work")
    processes.act_as(holder)
    assert take_turn("work")


@pytest.mark.parametrize("is_resting", [False, True])
def test_another_process_takes_over_seconds_after_the_holder_died(
    processes: Processes, is_resting: bool
) -> None:
    take_turn("work")
    if is_resting:
        rest("work", seconds=2 * HOUR, keeps=True)
    let_pass(9)

    processes.act_as(uuid7())
    assert take_turn("work")


def test_a_process_that_thaws_cannot_end_the_turn_of_another(
    processes: Processes,
) -> None:
    frozen, other = uuid7(), uuid7()
    processes.act_as(frozen)
    take_turn("work")
    let_pass(9)
    processes.act_as(other)
    take_turn("work")
    before = Turn.objects.get()

    processes.act_as(frozen)
    rest("work", seconds=0, keeps=True)

    after = Turn.objects.get()
    assert (after.holder, after.next_at) == (before.holder, before.next_at)
    assert not take_turn("work")


def test_a_process_can_pass_its_turn_on(processes: Processes) -> None:
    holder = uuid7()
    processes.act_as(holder)
    take_turn("work")
    rest("work", seconds=0, keeps=False)
    let_pass(4)

    processes.act_as(uuid7())
    assert take_turn("work")
    processes.act_as(holder)
    assert not take_turn("work")


@pytest.mark.usefixtures("processes")
def test_turns_at_different_work_are_independent() -> None:
    assert take_turn("work")
    assert take_turn("other work")
