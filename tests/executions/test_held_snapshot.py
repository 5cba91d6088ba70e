"""With 50,000 dead rows that cannot be cleaned up, queries read only live ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from common.database.sql import database_now
from events.models import Inbox
from executions.pipeline.leases import (
    claim_batch,
    claim_suspects,
    close_lease,
    has_suspects,
)
from tests.factories import record
from tests.snapshots import buffers_of, held_snapshot
from tests.triggers.due_triggers import make_due
from triggers.models import Trigger
from triggers.services.claim import claim_while_due
from triggers.services.due_index import DueFloor, find_due, seconds_until_due

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


def test_a_claim_reads_no_dead_inbox_rows() -> None:
    queue_and_delete(deaths=0)
    assert claim_batch() is None

    empty = buffers_of(claim_and_close)
    for _ in range(20):
        record()
    whole = buffers_of(claim_and_close)

    assert not Inbox.objects.exists()
    assert empty <= 50
    assert whole <= 50


def test_a_claim_reads_no_dead_leases() -> None:
    execute(
        "INSERT INTO executions_drainlease "  # noqa: S608 - our own number
        "(id, worker, event_ids, created_at) "
        f"SELECT gen_random_uuid(), 'w', '{{}}', now() FROM generate_series(1, {DEAD})",
        "DELETE FROM executions_drainlease",
        "ANALYZE executions_drainlease",
    )
    assert claim_batch() is None

    record()
    new = buffers_of(claim_and_close)
    suspects = buffers_of(claim_suspects)

    assert not Inbox.objects.exists()
    assert new <= 50
    assert suspects <= 50


def test_the_check_for_suspects_reads_no_dead_inbox_rows() -> None:
    queue_and_delete(deaths=0)

    assert buffers_of(has_suspects) <= 5


def test_a_clock_reads_no_dead_index_entries() -> None:
    # All are moved in steps of six minutes, none of which is just now.
    one = make_due(due_at=database_now() - timedelta(minutes=63))
    copy_and_move(one, times=DEAD // TRIGGERS)
    floor = DueFloor()
    seconds_until_due(floor)
    due = make_due(due_at=database_now())

    wait = buffers_of(partial(seconds_until_due, floor))
    find = buffers_of(partial(find_due, database_now(), limit=10, since=floor.instant))

    claim = buffers_of(partial(make_due_and_claim, due, floor))

    assert wait <= 20
    assert find <= 40
    assert claim <= 400
    due.refresh_from_db()
    assert due.scheduled_runs >= 12


def make_due_and_claim(trigger: Trigger, floor: DueFloor) -> None:
    now = database_now()
    Trigger.objects.filter(pk=trigger.pk).update(
        next_run_time=now, next_scheduled_for=now
    )
    claim_while_due(lambda: True, floor)


def copy_and_move(one: Trigger, *, times: int) -> None:
    """Copy a trigger, and move all copies repeatedly until an hour from now."""
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
