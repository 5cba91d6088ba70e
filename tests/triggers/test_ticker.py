from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from common.database.sql import database_now
from events.models import Event
from tests.acceptance.waiting import wait_for
from tests.factories import make_trigger
from tests.triggers.due_triggers import make_due, make_due_once
from triggers.clock import get_clock
from triggers.clocks import ticker
from triggers.clocks.mirror import CLAIM_DUE, HEARTBEAT_NAME
from triggers.clocks.ticker import Ticker, record_heartbeat
from triggers.clocks.wake import wake_clocks
from triggers.models import Trigger
from triggers.services import due_index
from triggers.services.claim import claim_while_due
from triggers.services.due_index import DueFloor

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database()
AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@pytest.fixture
def start(transactional_db: None) -> Iterator[Callable[[], Ticker]]:
    """Start tickers that stop at the end of the test."""
    started: list[Ticker] = []

    def start_one() -> Ticker:
        started.append(Ticker())
        started[-1].start()
        return started[-1]

    yield start_one
    for one in started:
        one.stop()
    wake_clocks(database_now())
    for one in started:
        one.join(60)
        assert not one.is_alive()


@pytest.fixture
def heartbeat(transactional_db: None) -> PeriodicTask:
    """Return the row of the heartbeat, in which no clock has recorded one."""
    every, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    values = {"task": CLAIM_DUE, "interval": every, "last_run_at": None}
    task, _ = PeriodicTask.objects.update_or_create(
        name=HEARTBEAT_NAME, defaults=values
    )
    return task


def recorded() -> int:
    return Event.objects.filter(type="schedule.due").count()


def others() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        return [pid for (pid,) in cursor.fetchall()]


def end_others() -> set[int]:
    """End the ticker's session, and those that earlier tests have not yet closed."""
    ended = set(others())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [[*ended]]
        )
    return ended


def sleepers() -> list[int]:
    """Return the tickers that sleep: their last statement records the heartbeat."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{OTHERS} AND state = 'idle' AND query LIKE %s", ["%FOR UPDATE%"]
        )
        return [pid for (pid,) in cursor.fetchall()]


def test_a_ticker_claims_due_triggers(start: Callable[[], Ticker]) -> None:
    make_due_once()

    start()

    assert wait_for(recorded, timeout_seconds=60) == 1


def test_two_tickers_claim_nothing_twice(start: Callable[[], Ticker]) -> None:
    for _ in range(20):
        make_due_once()

    start(), start()

    wait_for(lambda: recorded() >= 20, timeout_seconds=60)
    assert recorded() == 20


def test_a_sleeping_ticker_is_woken_by_a_trigger_that_is_due_soon(
    start: Callable[[], Ticker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticker, "MAX_SLEEP_SECONDS", 3600)
    start()
    wait_for(sleepers, timeout_seconds=60)

    make_trigger(
        trigger_type="cron",
        schedule_type="once",
        schedule_config={"at": (database_now() + timedelta(seconds=2)).isoformat()},
    )

    assert wait_for(recorded, timeout_seconds=60) == 1


@pytest.fixture
def no_wake_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevent the subscription to wake-ups, as behind a pooler."""
    monkeypatch.setattr(Ticker, "_listen", lambda _: connection.ensure_connection())


@pytest.fixture
def plan_for_the_past(
    start: Callable[[], Ticker], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Start a ticker that has looked once; return a function that plans a past run."""
    monkeypatch.setattr(due_index, "FULL_LOOK_EVERY_SECONDS", 3600)
    hour = timedelta(hours=1)
    trigger = make_due(due_at=database_now() + hour, catchup="latest")
    one = start()
    wait_for(lambda: one._floor.instant, timeout_seconds=60)

    def plan() -> None:
        past = database_now() - hour
        Trigger.objects.filter(pk=trigger.pk).update(
            next_run_time=past, next_scheduled_for=past
        )

    return plan


def test_a_woken_ticker_reads_the_whole_due_index(
    plan_for_the_past: Callable[[], None],
) -> None:
    plan_for_the_past()

    wake_clocks(database_now())

    assert wait_for(recorded, timeout_seconds=60) == 1


def test_a_ticker_with_a_new_connection_reads_the_whole_due_index(
    plan_for_the_past: Callable[[], None],
) -> None:
    plan_for_the_past()

    end_others()

    assert wait_for(recorded, timeout_seconds=60) == 1


def test_a_ticker_without_wake_ups_reads_the_whole_due_index(
    no_wake_ups: None, plan_for_the_past: Callable[[], None]
) -> None:
    plan_for_the_past()

    assert wait_for(recorded, timeout_seconds=10) == 1


def test_a_ticker_reconnects_after_a_lost_connection(
    start: Callable[[], Ticker],
) -> None:
    start()
    wait_for(sleepers, timeout_seconds=60)

    ended = end_others()

    make_due_once()
    assert wait_for(recorded, timeout_seconds=60) == 1
    wait_for(lambda: not ended & set(others()), timeout_seconds=60)


def test_a_ticker_continues_after_an_error(
    start: Callable[[], Ticker], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([ValueError("broken")])

    def fail_once(go_on: Callable[[], bool], floor: DueFloor) -> float | None:
        for error in failures:
            raise error
        return claim_while_due(go_on, floor)

    monkeypatch.setattr(ticker, "claim_while_due", fail_once)
    make_due_once()

    start()

    assert wait_for(recorded, timeout_seconds=60) == 1


def test_a_heartbeat_is_recorded_every_few_seconds_only(
    heartbeat: PeriodicTask,
) -> None:
    record_heartbeat()
    heartbeat.refresh_from_db()
    first = heartbeat.last_run_at

    record_heartbeat()

    heartbeat.refresh_from_db()
    assert heartbeat.last_run_at == first
    assert get_clock().is_healthy()


def test_a_clock_without_heartbeats_is_not_healthy(heartbeat: PeriodicTask) -> None:
    silent = timezone.now() - timedelta(seconds=31)
    PeriodicTask.objects.filter(pk=heartbeat.pk).update(last_run_at=silent)

    was_healthy = get_clock().is_healthy()
    record_heartbeat()

    assert not was_healthy
    assert get_clock().is_healthy()
