from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from common.ids import uuid7
from events.models import Event, EventSource, Inbox
from executions.services.run import Backfill, NoSchedule, backfill_trigger, run_trigger
from tests.executions.simulated import MINUTE, NOON, SimulatedClock, make_minutely
from tests.factories import make_listener, make_trigger
from tests.races import ROUNDS, race_all
from tests.triggers.due_triggers import fired, make_due
from triggers.models import Trigger
from triggers.services.claim import claim_due
from triggers.services.lifecycle import (
    TriggerNotFound,
    delete_trigger,
    disable_trigger,
)

pytestmark = pytest.mark.django_db


def test_a_run_is_an_event_that_names_its_trigger() -> None:
    trigger = make_listener(subject="acme")

    event_id = run_trigger(trigger_id=trigger.id, payload={"a": "\x00\ud800"})

    event = Event.objects.get(pk=event_id)
    assert (event.type, event.source) == ("trigger.run", EventSource.MANUAL)
    assert (event.trigger_id, event.subject) == (trigger.id, "acme")
    assert bytes(event.body) == b'{"a":"\\u0000\\ud800"}'
    assert event.options == {"parameters": {}, "skip_conditions": False}
    assert Inbox.objects.get().event_id == event_id


def test_each_request_to_run_is_an_event() -> None:
    trigger = make_listener()

    assert run_trigger(trigger_id=trigger.id) != run_trigger(trigger_id=trigger.id)


def test_an_unknown_or_deleted_trigger_cannot_be_run() -> None:
    deleted = make_listener()
    delete_trigger(trigger_id=deleted.id)

    for trigger_id in (uuid7(), deleted.id):
        with pytest.raises(TriggerNotFound):
            run_trigger(trigger_id=trigger_id)

    assert not Event.objects.exists()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return SimulatedClock(monkeypatch)


def backfill(trigger: Trigger, first: int, last: int, **options: Any) -> Backfill:
    """Backfill from one minute after noon to another."""
    return backfill_trigger(
        trigger_id=trigger.pk,
        since=NOON + first * MINUTE,
        until=NOON + last * MINUTE,
        **options,
    )


def test_instants_without_an_event_are_recorded_oldest_first(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=5)
    clock.claim()

    done = backfill(trigger, 1, 5, limit=3, overlap="buffer_all")

    assert (done.occurrences, done.with_event, done.recorded) == (5, 1, 3)
    assert (done.left_out, done.next_from) == (1, NOON + 4 * MINUTE)
    assert (done.at_least, done.dry_run) == (False, False)
    events = list(Event.objects.filter(type="schedule.backfill").order_by("id"))
    assert [e.scheduled_for for e in events] == [NOON + n * MINUTE for n in (1, 2, 3)]
    assert {(e.source, e.trigger_id) for e in events} == {("schedule", trigger.pk)}
    assert [e.options for e in events] == [{"overlap": "buffer_all"}] * 3
    assert Inbox.objects.filter(event_id__in=[e.pk for e in events]).count() == 3


def test_a_dry_run_records_nothing(clock: SimulatedClock) -> None:
    trigger = make_minutely(is_active=False)
    clock.move(minutes=5)

    done = backfill(trigger, -5, 5, dry_run=True)

    assert (done.occurrences, done.recorded, done.left_out) == (11, 11, 0)
    assert done.dry_run
    assert not Event.objects.exists()


def test_a_second_backfill_records_nothing(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    backfill(trigger, -5, 0)

    done = backfill(trigger, -5, 0)

    assert (done.with_event, done.recorded, done.left_out) == (6, 0, 0)
    assert Event.objects.count() == 6


def test_backfilled_runs_do_not_count_towards_max_runs(clock: SimulatedClock) -> None:
    trigger = make_minutely(max_runs=2)
    backfill(trigger, -5, 0)

    clock.run(minutes=3)

    assert fired(trigger) == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_a_disabled_trigger_can_be_backfilled(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely()
    disable_trigger(trigger_id=trigger.pk)

    assert backfill(trigger, -5, 0).recorded == 6


def test_an_instant_within_the_jitter_is_not_past(clock: SimulatedClock) -> None:
    trigger = make_minutely(jitter_seconds=3600)
    jitter = timedelta(milliseconds=trigger.pk.int % 3_600_000)

    done = backfill(trigger, -120, 0, limit=1000)

    last = Event.objects.latest("scheduled_for").scheduled_for
    assert last is not None
    assert last + jitter <= NOON < last + jitter + MINUTE
    assert done.recorded == done.occurrences


def test_unclaimed_instants_are_left_to_the_clock(clock: SimulatedClock) -> None:
    trigger = make_minutely(max_runs=2, catchup="all")
    clock.move(minutes=5)

    done = backfill(trigger, -1, 5)
    clock.claim()

    assert (done.occurrences, done.recorded) == (2, 2)
    assert fired(trigger) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert Event.objects.count() == 4
    assert backfill(trigger, -1, 5).recorded == 3


def test_the_future_is_not_backfilled(clock: SimulatedClock) -> None:
    trigger = make_minutely()

    done = backfill(trigger, -1, 100)

    assert (done.until, done.recorded) == (NOON, 2)


def test_counting_is_bounded(clock: SimulatedClock) -> None:
    trigger = make_minutely()

    done = backfill(trigger, -20_000, 0, limit=1)

    assert (done.occurrences, done.at_least) == (10_000, True)
    assert (done.recorded, done.left_out) == (1, 9_999)
    assert done.next_from == NOON - 19_999 * MINUTE


def test_a_trigger_without_a_schedule_cannot_be_backfilled(
    clock: SimulatedClock,
) -> None:
    trigger = make_trigger()

    with pytest.raises(NoSchedule) as refused:
        backfill(trigger, -1, 0)

    assert [fault.pointer for fault in refused.value.faults] == ["/trigger_type"]
    assert f"/api/v1/triggers/{trigger.pk}/run" in refused.value.detail
    assert not Event.objects.exists()


def test_a_deleted_trigger_is_not_backfilled(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    delete_trigger(trigger_id=trigger.pk)

    with pytest.raises(TriggerNotFound):
        backfill(trigger, -1, 0)

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_backfills_and_clocks_at_once_record_each_instant_once() -> None:
    for _ in range(ROUNDS):
        trigger = make_due(catchup="all", catchup_window_seconds=86_400)
        fill: Callable[[], Backfill | int] = partial(backfill, trigger, -5, 9)
        claim: Callable[[], Backfill | int] = partial(claim_due, now=NOON + 9 * MINUTE)

        answers = race_all([fill, claim] * 4)
        claim_due(now=NOON + 9 * MINUTE)

        events = Event.objects.filter(trigger_id=trigger.pk)
        instants = events.order_by("scheduled_for").values_list("scheduled_for")
        assert [at for (at,) in instants] == [NOON + n * MINUTE for n in range(-5, 10)]
        done = [answer for answer in answers if isinstance(answer, Backfill)]
        by_hand = events.filter(type="schedule.backfill").count()
        assert sum(one.recorded for one in done) == by_hand
        disable_trigger(trigger_id=trigger.pk)
