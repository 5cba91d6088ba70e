from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from events.models import Event, EventSource, Inbox
from tests.factories import make_trigger
from tests.races import ROUNDS, race
from tests.triggers.due_triggers import NOON, fired, make_due, missed
from triggers.models import Trigger
from triggers.schedules.interval import IntervalSchedule
from triggers.services import claim
from triggers.services.claim import claim_due
from triggers.services.scheduling import MAX_OCCURRENCES, jitter_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@contextmanager
def planner_settings(**settings: str) -> Iterator[None]:
    """Change how PostgreSQL plans the queries of this connection."""
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute(f"SET {name} = {value}")
        try:
            yield
        finally:
            for name in settings:
                cursor.execute(f"RESET {name}")


def test_a_due_trigger_is_recorded_and_moved_on() -> None:
    trigger = make_due(subject="acme")

    assert claim_due(now=NOON) == 1

    event = Event.objects.get()
    assert (event.type, event.source) == ("schedule.due", EventSource.SCHEDULE)
    assert (event.trigger_id, event.subject) == (trigger.id, "acme")
    assert event.scheduled_for == NOON
    assert Inbox.objects.get().event_id == event.id
    trigger.refresh_from_db()
    assert trigger.next_run_time == trigger.next_scheduled_for == NOON + MINUTE
    assert (trigger.scheduled_runs, trigger.last_scheduled_for) == (1, NOON)


def test_a_trigger_that_is_not_due_is_unchanged() -> None:
    make_due()

    assert claim_due(now=NOON - timedelta(microseconds=1)) == 0

    assert not Event.objects.exists()


def test_the_default_now_is_the_clock_of_the_database() -> None:
    make_due(catchup="none")

    claim_due()

    assert Trigger.objects.filter(next_run_time__gt=NOON).count() == 1


def test_eight_clocks_fire_each_occurrence_once() -> None:
    triggers = [make_due() for _ in range(10)]
    for minute in range(ROUNDS):
        now = NOON + minute * MINUTE

        claimed = race(partial(claim_due, now=now))

        assert sum(claimed) == len(triggers)
    expected = [NOON + minute * MINUTE for minute in range(ROUNDS)]
    assert all(fired(trigger) == expected for trigger in triggers)


def test_a_clock_that_is_set_back_records_no_occurrence_again() -> None:
    trigger = make_due()
    claim_due(now=NOON)
    Trigger.objects.update(next_run_time=NOON, next_scheduled_for=NOON)

    claim_due(now=NOON)

    assert fired(trigger) == [NOON]


def test_a_rolled_back_claim_changes_nothing() -> None:
    trigger = make_due()

    with transaction.atomic():
        claim_due(now=NOON)
        transaction.set_rollback(True)

    assert not Event.objects.exists()
    trigger.refresh_from_db()
    assert trigger.next_run_time == NOON


@pytest.mark.parametrize("can_scan_index", ["on", "off"])
def test_a_claim_takes_its_limit_of_triggers_due_at_one_instant(
    can_scan_index: str,
) -> None:
    """A scan of the index and a sort return equal instants in different orders."""
    for _ in range(5):
        make_due()

    with planner_settings(
        enable_indexscan=can_scan_index, enable_bitmapscan=can_scan_index
    ):
        sizes = [claim_due(now=NOON, limit=2) for _ in range(4)]

    assert sizes == [2, 2, 1, 0]


def test_a_claim_stops_at_its_limit_and_the_next_one_continues() -> None:
    triggers = [make_due() for _ in range(5)]

    sizes = [claim_due(now=NOON, limit=2) for _ in range(4)]

    assert sizes == [2, 2, 1, 0]
    assert all(fired(trigger) == [NOON] for trigger in triggers)


def test_the_limit_can_split_the_occurrences_of_one_trigger() -> None:
    trigger = make_due(catchup="all")
    now = NOON + 4 * MINUTE

    sizes = [claim_due(now=now, limit=2) for _ in range(4)]

    assert sizes == [2, 2, 1, 0]
    assert fired(trigger) == [NOON + n * MINUTE for n in range(5)]


def test_a_trigger_with_an_invalid_schedule_is_disabled_and_others_run() -> None:
    broken, good = make_due(), make_due()
    Trigger.objects.filter(pk=broken.pk).update(cron_expression="broken")

    assert claim_due(now=NOON) == 1

    assert fired(good) == [NOON]
    broken.refresh_from_db()
    assert not broken.is_active
    assert broken.disabled_reason.startswith("its next run cannot be computed: ")
    assert (broken.next_run_time, broken.version) == (None, 2)
    assert Event.objects.filter(type="trigger.set_aside").count() == 1
    assert claim_due(now=NOON + MINUTE) == 1


def test_a_once_schedule_fires_once() -> None:
    trigger = make_trigger(
        trigger_type="cron",
        schedule_type="once",
        schedule_config={"at": "2100-01-01T00:00:00Z"},
    )
    at = trigger.next_run_time
    assert at is not None

    claim_due(now=at)
    claim_due(now=at + timedelta(days=1))

    assert fired(trigger) == [at]
    trigger.refresh_from_db()
    assert (trigger.next_run_time, trigger.is_active) == (None, True)


def test_a_schedule_ends_after_max_runs() -> None:
    trigger = make_due(max_runs=3, catchup="all")

    claim_due(now=NOON + MINUTE)
    claim_due(now=NOON + 5 * MINUTE)

    assert fired(trigger) == [NOON + n * MINUTE for n in range(3)]
    trigger.refresh_from_db()
    assert (trigger.next_run_time, trigger.scheduled_runs) == (None, 3)


def test_the_last_run_stays_stored_if_all_occurrences_were_missed() -> None:
    trigger = make_due(catchup="none")
    claim_due(now=NOON)

    claim_due(now=NOON + 5 * MINUTE - timedelta(seconds=1))

    assert len(missed(trigger)) == 1
    trigger.refresh_from_db()
    assert trigger.last_scheduled_for == NOON
    assert trigger.next_scheduled_for == NOON + 5 * MINUTE


def test_jitter_delays_the_run_and_not_the_nominal_instant() -> None:
    trigger = make_due(jitter_seconds=30)
    jitter = jitter_of(trigger)
    assert timedelta(0) <= jitter < timedelta(seconds=30)
    Trigger.objects.update(next_run_time=NOON + jitter)

    claim_due(now=NOON + jitter)

    assert fired(trigger) == [NOON]
    trigger.refresh_from_db()
    assert trigger.next_scheduled_for == NOON + MINUTE
    assert trigger.next_run_time == NOON + MINUTE + jitter


@pytest.mark.parametrize("catchup", ["none", "latest", "all"])
def test_a_month_of_downtime_is_claimed_in_few_steps(
    catchup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = make_due(
        schedule_type="interval",
        schedule_config={"interval_seconds": 1},
        catchup=catchup,
    )
    steps: list[datetime] = []
    original = IntervalSchedule._next

    def counted(schedule: IntervalSchedule, after: datetime) -> datetime | None:
        steps.append(after)
        return original(schedule, after)

    monkeypatch.setattr(IntervalSchedule, "_next", counted)

    assert claim_due(now=NOON + timedelta(days=30)) >= MAX_OCCURRENCES

    assert len(steps) < 2.2 * MAX_OCCURRENCES
    # With `all`, the limit of a claim; otherwise those within the grace.
    assert len(fired(trigger)) == (MAX_OCCURRENCES if catchup == "all" else 30)
    assert missed(trigger)[0]["from"] == NOON.isoformat()
    assert missed(trigger)[0]["at_least"] is True


def test_a_claim_that_runs_out_of_time_disables_no_trigger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger = make_due()

    def run_out(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(claim, "plan_claim", run_out)

    with pytest.raises(SoftTimeLimitExceeded):
        claim_due(now=NOON)

    trigger.refresh_from_db()
    assert (trigger.is_active, trigger.next_run_time) == (True, NOON)
