from __future__ import annotations

import math
import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F
from django.db.models.functions import Now

from agents.models import Turn, Worker
from agents.services import workers
from agents.services.workers import can_detect_dead_workers, finish_turn, take_turn
from common.ids import uuid7
from executions.sweep import watch_agents
from tests.outages import read_only_database
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_just_started_cannot_detect_dead_workers() -> None:
    assert not can_detect_dead_workers()
    assert watch_agents() == 0


def test_after_twenty_seconds_of_heartbeats_dead_workers_can_be_detected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    can_detect_dead_workers()
    monkeypatch.setattr(workers, "_steady_since", time.monotonic() - 20)

    assert can_detect_dead_workers()


def test_a_server_that_hung_restarts_the_twenty_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    can_detect_dead_workers()
    now = time.monotonic()
    monkeypatch.setattr(workers, "_steady_since", now - 100)
    monkeypatch.setattr(workers, "_recorded_at", now - 30)
    before = can_detect_dead_workers()

    workers._try_heartbeat()

    assert (before, can_detect_dead_workers()) == (False, False)


def test_heartbeats_continue_after_the_database_was_read_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers.current_worker()
    monkeypatch.setattr(workers, "_steady_since", time.monotonic() - 100)

    with read_only_database():
        workers._try_heartbeat()
        assert workers._steady_since == math.inf
    workers._try_heartbeat()

    assert workers._steady_since < math.inf


def test_a_failed_heartbeat_restarts_the_twenty_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    can_detect_dead_workers()
    monkeypatch.setattr(workers, "_steady_since", math.inf)

    assert not can_detect_dead_workers()


def test_right_after_an_outage_no_worker_is_deleted() -> None:
    can_detect_dead_workers()
    Worker.objects.update(seen_at=Now() - timedelta(hours=2))

    assert watch_agents() == 0
    assert Worker.objects.count() == 1


HOUR = 3600


class Processes:
    """Makes each thread, or the test itself, act as a separate process."""

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
    """Processes with turns so long that a slow machine does not affect the test."""
    made = Processes()
    monkeypatch.setattr(workers, "current_worker", made.current)
    monkeypatch.setattr(workers, "HOLD_SECONDS", 5 * HOUR)
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 3 * HOUR)
    return made


def let_pass(hours: int) -> None:
    Turn.objects.update(next_at=F("next_at") - timedelta(hours=hours))


@pytest.mark.usefixtures("processes")
def test_one_of_eight_processes_has_the_turn() -> None:
    for _ in range(ROUNDS):
        assert sum(race(lambda: take_turn("work"))) == 1
        let_pass(60)


@pytest.mark.usefixtures("processes")
def test_no_process_takes_a_turn_before_it_is_due() -> None:
    take_turn("work")
    finish_turn("work", seconds=HOUR, keeps=True)

    assert race(lambda: take_turn("work")) == [False] * 8
    assert not take_turn("work")


def test_the_holder_can_take_its_turn_before_any_other_process(
    processes: Processes,
) -> None:
    holder, other = uuid7(), uuid7()
    processes.act_as(holder)
    take_turn("work")
    finish_turn("work", seconds=2 * HOUR, keeps=True)
    let_pass(4)

    processes.act_as(other)
    assert not take_turn("work")
    processes.act_as(holder)
    assert take_turn("work")


@pytest.mark.parametrize("is_finished", [False, True])
def test_another_process_takes_the_turn_of_a_dead_holder(
    processes: Processes, is_finished: bool
) -> None:
    take_turn("work")
    if is_finished:
        finish_turn("work", seconds=2 * HOUR, keeps=True)
    let_pass(9)

    processes.act_as(uuid7())
    assert take_turn("work")


def test_a_process_that_was_frozen_cannot_finish_the_turn_of_another(
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
    finish_turn("work", seconds=0, keeps=True)

    after = Turn.objects.get()
    assert (after.holder, after.next_at) == (before.holder, before.next_at)
    assert not take_turn("work")


def test_a_process_can_release_its_turn(processes: Processes) -> None:
    holder = uuid7()
    processes.act_as(holder)
    take_turn("work")
    finish_turn("work", seconds=0, keeps=False)
    let_pass(4)

    processes.act_as(uuid7())
    assert take_turn("work")
    processes.act_as(holder)
    assert not take_turn("work")


@pytest.mark.usefixtures("processes")
def test_turns_with_different_names_are_independent() -> None:
    assert take_turn("work")
    assert take_turn("other work")
