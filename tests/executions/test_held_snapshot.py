"""With 50,000 dead rows that cannot be cleaned up, a look reads only live ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from common.clock import database_now
from events.models import Inbox
from executions.pipeline.leases import claim_batch, close_lease, has_suspects
from tests.factories import record
from tests.snapshots import counted_buffers, held_snapshot
from tests.triggers.due import make_due
from triggers.models import Trigger
from triggers.services.claim import claim_while_due
from triggers.services.due import DueFloor, seconds_until_due

pytestmark = pytest.mark.django_db(transaction=True)

DEAD = 50_000
TRIGGERS = 2_500
MOVE = (
    "UPDATE triggers_trigger SET next_run_time = next_run_time + interval '2 hours' /"
)


@pytest.fixture(autouse=True)
def _held() -> Iterator[None]:
    with held_snapshot():
        yield


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def queue_and_delete(*, deaths: int) -> None:
    execute(
        "INSERT INTO events_inbox (event_id, deaths) "  # noqa: S608 - our own number
        f"SELECT gen_random_uuid(), {deaths} FROM generate_series(1, {DEAD})",
        "DELETE FROM events_inbox",
        "ANALYZE events_inbox",
    )


def claim_and_close() -> int:
    lease = claim_batch()
    if lease is None:
        return 0
    Inbox.objects.filter(pk__in=lease.event_ids).delete()
    close_lease(lease.id)
    return len(lease.event_ids)


def buffers(act: Callable[[], object], word: str) -> list[int]:
    with counted_buffers() as counted:
        act()
    found = [number for sql, number in counted.items() if word in sql]
    assert found
    return found


def test_a_claim_reads_no_dead_inbox_rows() -> None:
    queue_and_delete(deaths=0)
    [full] = buffers(claim_and_close, "pg_current_snapshot")
    for _ in range(20):
        record()

    [first] = buffers(claim_and_close, "pg_current_snapshot")
    [again] = buffers(claim_and_close, "pg_current_snapshot")

    assert full > 300
    assert not Inbox.objects.exists()
    assert max(first, again) <= 60


def test_a_look_for_suspects_reads_no_dead_inbox_rows() -> None:
    queue_and_delete(deaths=0)

    assert buffers(has_suspects, "events_inbox")[0] <= 5


def test_a_clock_reads_no_dead_index_entries() -> None:
    # All are moved in steps of six minutes, none of which is just now.
    one = make_due(due_at=database_now() - timedelta(minutes=63))
    copy_and_move(one, times=DEAD // TRIGGERS)
    floor = DueFloor()
    [full] = buffers(partial(seconds_until_due, floor), "first.due")
    due = make_due(due_at=database_now())

    with counted_buffers() as counted:
        claim_while_due(lambda: True, floor)

    [wait] = [number for sql, number in counted.items() if "first.due" in sql]
    [find] = [number for sql, number in counted.items() if "longest" in sql]
    due.refresh_from_db()
    assert due.scheduled_runs == 1
    assert full > 300
    assert wait <= 20
    assert find <= 40


def copy_and_move(one: Trigger, *, times: int) -> None:
    """Make triggers like one, and move all again and again until an hour from now."""
    changed = {"id": "gen_random_uuid()", "name": "'copy-' || n"}
    columns = [str(field.column) for field in Trigger._meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    execute(
        f"INSERT INTO triggers_trigger ({', '.join(columns)}) "  # noqa: S608
        f"SELECT {', '.join(values)} FROM triggers_trigger t, "
        f"generate_series(1, {TRIGGERS}) n",
        *[f"{MOVE} {times}"] * times,
        "ANALYZE triggers_trigger",
    )
