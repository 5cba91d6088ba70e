from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from agents.models import AgentTask
from agents.services import scan_floor
from agents.services.scan_floor import ScanFloor, ScanRange
from agents.services.submit import (
    create_tasks,
    due_floor,
    submit_due_tasks,
    submit_tasks,
)
from tests.factories import make_agent, make_task, new_task

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = timedelta(0)
FIRST = datetime.min.replace(tzinfo=UTC)


@pytest.fixture
def floor() -> ScanFloor:
    return ScanFloor(delay=NOTHING)


def scan_once(floor: ScanFloor, *, oldest: datetime | None = None) -> ScanRange:
    scan = floor.begin(reach=NOTHING)
    floor.end(scan, oldest=oldest)
    return scan


def test_the_first_scan_covers_everything_and_the_next_only_new_rows(
    floor: ScanFloor,
) -> None:
    first = scan_once(floor)
    second = scan_once(floor)

    assert first.after == FIRST
    assert second.after == first.next_floor
    assert timedelta(seconds=2) <= first.up_to - second.after


def test_the_floor_stays_below_the_oldest_remaining_row(floor: ScanFloor) -> None:
    left = scan_once(floor).up_to - timedelta(hours=1)

    scan_once(floor, oldest=left)

    assert scan_once(floor).after == left - timedelta(microseconds=1)


def test_a_failed_scan_is_repeated(floor: ScanFloor) -> None:
    scan_once(floor)
    failed = floor.begin(reach=NOTHING)

    assert floor.begin(reach=NOTHING).after == failed.after


def test_a_new_connection_scans_everything(floor: ScanFloor) -> None:
    scan_once(floor)
    connection.close()

    assert scan_once(floor).after == FIRST


def test_every_five_minutes_a_scan_covers_everything(
    floor: ScanFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_floor, "FULL_SCAN_SECONDS", -1)
    scan_once(floor)

    assert scan_once(floor).after == FIRST


def test_each_thread_has_its_own_floor(floor: ScanFloor) -> None:
    scan_once(floor)

    def scan_elsewhere() -> ScanRange:
        try:
            return scan_once(floor)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(scan_elsewhere).result().after == FIRST
    assert scan_once(floor).after > FIRST


def in_a_late_transaction(write: Callable[[], object], meanwhile: Event) -> None:
    """Write in a transaction that commits only after `meanwhile` is set."""
    try:
        with transaction.atomic():
            write()
            meanwhile.wait(30)
    finally:
        connection.close()


def test_the_floor_stays_below_rows_of_a_late_transaction(floor: ScanFloor) -> None:
    agent, written, meanwhile = make_agent(), Event(), Event()
    task = new_task(agent)

    def write() -> None:
        create_tasks([task])
        written.set()

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(in_a_late_transaction, write, meanwhile)
        assert written.wait(30)
        scan = floor.begin(reach=NOTHING)
        meanwhile.set()
        late.result()

    stored = AgentTask.objects.get(pk=task.id)
    assert stored.next_attempt_at is not None
    assert scan.next_floor <= stored.next_attempt_at - timedelta(seconds=2)
    assert submit_due_tasks() == 1


def test_a_due_task_that_another_session_locks_is_found_later() -> None:
    task = make_task()
    assert submit_due_tasks() == 1
    AgentTask.objects.update(next_attempt_at=Now() - timedelta(hours=1))
    due_floor.forget()
    locked, meanwhile = Event(), Event()

    def lock() -> None:
        AgentTask.objects.select_for_update().get(pk=task.pk)
        locked.set()

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(in_a_late_transaction, lock, meanwhile)
        assert locked.wait(30)
        for _ in range(3):
            assert submit_due_tasks() == 0
        meanwhile.set()
        late.result()

    assert submit_due_tasks() == 1


def test_the_floor_of_due_tasks_advances_with_the_clock() -> None:
    submit_tasks([make_task().id])
    submit_due_tasks()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        [now] = cursor.fetchone()

    assert due_floor.begin(reach=NOTHING).after > now - timedelta(hours=1)
