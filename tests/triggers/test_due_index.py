from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from common.database.sql import database_now
from tests.acceptance.waiting import wait_for
from tests.factories import make_trigger
from tests.races import race, race_all
from tests.triggers.due_triggers import NOON, fired, make_due, make_due_once
from triggers.models import Trigger
from triggers.services import claim, due_index
from triggers.services.claim import claim_due, claim_while_due
from triggers.services.due_index import _FIND, DueFloor, find_due, seconds_until_due
from triggers.services.scheduling import MAX_OCCURRENCES, plan_claim

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def test_the_longest_due_come_first() -> None:
    second, first = make_due(), make_due(due_at=NOON - MINUTE)
    make_due(due_at=NOON + MINUTE)

    assert [t.id for t in find_due(NOON, limit=10)] == [first.id, second.id]
    assert [t.id for t in find_due(NOON, limit=1)] == [first.id]


def test_without_a_next_run_there_is_no_wait() -> None:
    make_trigger()
    make_due(is_active=False)
    Trigger.objects.update(next_run_time=None)

    assert seconds_until_due() is None


def test_the_wait_is_until_the_first_next_run() -> None:
    make_due(due_at=database_now() + 2 * MINUTE)
    make_due(due_at=database_now() + MINUTE)

    wait = seconds_until_due()

    assert wait is not None
    assert 0 < wait <= 60


def test_an_overdue_trigger_has_a_negative_wait() -> None:
    make_due()

    wait = seconds_until_due()

    assert wait is not None
    assert wait < 0


def test_triggers_that_a_transaction_changes_are_skipped() -> None:
    held, free = make_due(), make_due()

    with transaction.atomic():
        list(Trigger.objects.select_for_update(no_key=True).filter(pk=held.pk))
        [claimed] = race(lambda: claim_due(now=NOON), threads=1)

    assert claimed == 1
    held.refresh_from_db()
    free.refresh_from_db()
    assert held.next_run_time == NOON
    assert free.next_run_time == NOON + MINUTE


def test_planning_a_claim_holds_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = make_due()

    def plan_while_others_lock(*arguments: object) -> object:
        race(lock_all, threads=1)
        return plan_claim(*arguments)  # type: ignore[arg-type]  # as they came

    def lock_all() -> None:
        with transaction.atomic():
            list(Trigger.objects.select_for_update(nowait=True))

    monkeypatch.setattr(claim, "plan_claim", plan_while_others_lock)

    assert claim_due(now=NOON) == 1

    assert not connection.in_atomic_block
    trigger.refresh_from_db()
    assert trigger.next_run_time == NOON + MINUTE


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"is_active": False},
        {"next_run_time": NOON - MINUTE},
        {"next_run_time": None},
    ],
)
def test_a_trigger_that_changed_since_it_was_read_is_unclaimed(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = make_due()

    def plan_then_change(*arguments: object) -> object:
        Trigger.objects.filter(pk=trigger.pk).update(**change)
        return plan_claim(*arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(claim, "plan_claim", plan_then_change)

    assert claim_due(now=NOON) == 0

    changed = Trigger.objects.get(pk=trigger.pk)
    assert changed.next_scheduled_for == NOON
    assert changed.scheduled_runs == 0
    assert fired(trigger) == []


def test_a_trigger_that_catches_up_does_not_delay_others() -> None:
    behind = make_due(
        schedule_type="interval",
        schedule_config={"interval_seconds": 1},
        catchup="all",
        due_at=NOON - 30 * MINUTE,
    )
    on_time = make_due()

    claim_due(now=NOON)

    assert fired(on_time) == [NOON]
    assert len(fired(behind)) == MAX_OCCURRENCES // 2


def test_triggers_due_now_are_claimed_together_with_overdue_ones() -> None:
    for minutes in range(1, 5):
        make_due(due_at=NOON - minutes * MINUTE)
    on_time = make_due()

    claim_due(now=NOON, limit=2)

    assert fired(on_time) == [NOON]


def test_counting_missed_occurrences_does_not_delay_others() -> None:
    for _ in range(15):
        make_due(
            schedule_type="interval",
            schedule_config={"interval_seconds": 1},
            catchup="none",
            due_at=NOON - 60 * MINUTE,
        )
    on_time = make_due()

    claim_due(now=NOON)

    assert fired(on_time) == [NOON]


def test_a_clock_that_never_reads_its_result_holds_no_lock() -> None:
    copy_due(make_due(), count=2 * MAX_OCCURRENCES)
    place = connection.get_connection_params()
    wanted = {"dbname", "host", "port", "user", "password"} & place.keys()
    found = _FIND % ("'-infinity'", "now()", MAX_OCCURRENCES, "now()", "now()", 0)
    with closing(psycopg.connect(**{n: place[n] for n in wanted})) as stopped:
        stopped.pgconn.send_query(found.encode())

        wait_for(lambda: is_done(stopped.info.backend_pid), timeout_seconds=60)
        due = find_due(database_now(), limit=5 * MAX_OCCURRENCES)
        assert len(due) == 2 * MAX_OCCURRENCES + 1


def is_done(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state = 'idle' AND query LIKE %s FROM pg_stat_activity "
            "WHERE pid = %s",
            ["%longest%", pid],
        )
        return bool(cursor.fetchone()[0])


def copy_due(one: Trigger, *, count: int) -> None:
    """Create copies of a trigger, with long names."""
    changed = {"id": "gen_random_uuid()", "name": "repeat('x', 200) || n"}
    columns = [str(field.column) for field in Trigger._meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO triggers_trigger ({', '.join(columns)}) "  # noqa: S608
            f"SELECT {', '.join(values)} FROM triggers_trigger t, "
            "generate_series(1, %s) n WHERE t.id = %s",
            [count, one.pk],
        )


HOUR = timedelta(hours=1)
EVERY_SECOND = {
    "schedule_type": "interval",
    "schedule_config": {"interval_seconds": 1},
    "catchup": "all",
}


def always() -> bool:
    return True


def test_the_floor_is_the_first_next_run_if_that_has_long_been_due() -> None:
    trigger, floor = make_due(due_at=database_now() - HOUR), DueFloor()

    seconds_until_due(floor)

    assert floor.instant == Trigger.objects.get(pk=trigger.pk).next_run_time


def test_the_floor_stays_some_seconds_behind_the_present() -> None:
    make_due(due_at=database_now() + HOUR)
    floor, before = DueFloor(), database_now()

    seconds_until_due(floor)

    assert floor.instant is not None
    margin = timedelta(seconds=5)
    assert before - margin <= floor.instant <= database_now() - margin


def test_a_trigger_planned_for_an_earlier_instant_is_found_without_a_wake_up() -> None:
    make_due(due_at=database_now() + HOUR)
    floor = DueFloor()
    seconds_until_due(floor)

    trigger = make_due_once()

    assert claim_while_due(always, floor) is not None
    assert len(fired(trigger)) == 1


def test_a_trigger_due_before_the_floor_is_found_by_the_full_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    floor = DueFloor()
    seconds_until_due(floor)
    trigger = make_due(due_at=database_now() - HOUR, catchup="latest")

    claim_while_due(always, floor)
    assert fired(trigger) == []

    monkeypatch.setattr(due_index, "FULL_LOOK_EVERY_SECONDS", -1.0)
    claim_while_due(always, floor)
    assert len(fired(trigger)) == 1


def test_a_trigger_that_is_caught_up_in_portions_stays_above_the_floor() -> None:
    start = database_now() - HOUR
    trigger, floor = make_due(due_at=start, **EVERY_SECOND), DueFloor()

    wait = claim_while_due(always, floor)

    assert wait is not None
    assert len(fired(trigger)) >= 3600


def test_a_trigger_whose_claim_was_rolled_back_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger, floor = make_due(due_at=database_now() - HOUR), DueFloor()

    def look() -> None:
        claim_while_due(always, floor)

    with transaction.atomic():
        Trigger.objects.filter(pk=trigger.pk).update(next_run_time=database_now())
        race_all([look])
        transaction.set_rollback(True)
    assert fired(trigger) == []
    claim_while_due(always, floor)

    assert len(fired(trigger)) == 1


def test_since_leaves_out_triggers_that_came_due_earlier() -> None:
    now = database_now()
    make_due(due_at=now - HOUR)
    later = make_due(due_at=now)

    found = find_due(now, limit=10, since=now)

    assert [trigger.id for trigger in found] == [later.id]
