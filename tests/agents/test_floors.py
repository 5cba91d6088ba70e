from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from agents.models import AgentTask
from agents.services import floors
from agents.services.create import create_tasks
from agents.services.floors import Floor, Look
from agents.services.submit import due_tasks, submit_overdue, submit_tasks
from tests.factories import make_agent, make_task, new_task

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = timedelta(0)
FIRST = datetime.min.replace(tzinfo=UTC)


@pytest.fixture
def floor() -> Floor:
    return Floor(delay=NOTHING)


def look_once(floor: Floor, *, oldest: datetime | None = None) -> Look:
    look = floor.begin(reach=NOTHING)
    floor.end(look, oldest=oldest)
    return look


def test_the_first_look_covers_everything_and_the_next_what_is_new(
    floor: Floor,
) -> None:
    first = look_once(floor)
    second = look_once(floor)

    assert first.after == FIRST
    assert second.after == first.next_floor
    assert timedelta(seconds=2) <= first.up_to - second.after


def test_the_floor_stays_below_the_oldest_row_that_is_left(floor: Floor) -> None:
    left = look_once(floor).up_to - timedelta(hours=1)

    look_once(floor, oldest=left)

    assert look_once(floor).after == left - timedelta(microseconds=1)


def test_a_look_that_failed_is_repeated(floor: Floor) -> None:
    look_once(floor)
    failed = floor.begin(reach=NOTHING)

    assert floor.begin(reach=NOTHING).after == failed.after


def test_a_new_connection_is_looked_at_from_the_beginning(floor: Floor) -> None:
    look_once(floor)
    connection.close()

    assert look_once(floor).after == FIRST


def test_everything_is_looked_at_every_five_minutes(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "FULL_LOOK_SECONDS", -1)
    look_once(floor)

    assert look_once(floor).after == FIRST


def test_each_thread_has_a_floor_of_its_own(floor: Floor) -> None:
    look_once(floor)

    def look_elsewhere() -> Look:
        try:
            return look_once(floor)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look_elsewhere).result().after == FIRST
    assert look_once(floor).after > FIRST


def in_a_late_transaction(write: Callable[[], object], meanwhile: Event) -> None:
    """Write in a transaction that is committed only after `meanwhile`."""
    try:
        with transaction.atomic():
            write()
            meanwhile.wait(30)
    finally:
        connection.close()


def test_the_floor_stays_below_what_a_late_transaction_writes(floor: Floor) -> None:
    agent, written, meanwhile = make_agent(), Event(), Event()
    task = new_task(agent)

    def write() -> None:
        create_tasks([task])
        written.set()

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(in_a_late_transaction, write, meanwhile)
        assert written.wait(30)
        look = floor.begin(reach=NOTHING)
        meanwhile.set()
        late.result()

    stored = AgentTask.objects.get(pk=task.id)
    assert stored.next_attempt_at is not None
    assert look.next_floor <= stored.next_attempt_at - timedelta(seconds=2)
    assert submit_overdue() == 1


def test_a_due_task_that_another_session_locks_is_found_later() -> None:
    task = make_task()
    assert submit_overdue() == 1
    AgentTask.objects.update(next_attempt_at=Now() - timedelta(hours=1))
    due_tasks.forget()
    locked, meanwhile = Event(), Event()

    def lock() -> None:
        AgentTask.objects.select_for_update().get(pk=task.pk)
        locked.set()

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(in_a_late_transaction, lock, meanwhile)
        assert locked.wait(30)
        for _ in range(3):
            assert submit_overdue() == 0
        meanwhile.set()
        late.result()

    assert submit_overdue() == 1


def test_the_floor_of_due_tasks_follows_the_clock() -> None:
    submit_tasks([make_task().id])
    submit_overdue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        [now] = cursor.fetchone()

    assert due_tasks.begin(reach=NOTHING).after > now - timedelta(hours=1)
