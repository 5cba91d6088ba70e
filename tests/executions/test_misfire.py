from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from events.models import Event, EventSource
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.pipeline.match import Pair, find_misfires
from tests.factories import make_listener, make_trigger, record
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def make_schedule(**fields: Any) -> Trigger:
    return make_trigger(
        trigger_type="cron",
        schedule_type="cron",
        cron_expression="* * * * *",
        **fields,
    )


def record_waiting(trigger: Trigger, *, minutes: int, **fields: Any) -> None:
    """Record the last `minutes` occurrences in time, while no worker is running."""
    now = timezone.now()
    Trigger.objects.filter(pk=trigger.pk).update(active_since=now - 99 * MINUTE)
    for ago in range(minutes, 0, -1):
        record(
            type="schedule.due",
            source=EventSource.SCHEDULE,
            trigger_id=trigger.id,
            scheduled_for=now - ago * MINUTE,
            **fields,
        )
    recorded = Event.objects.filter(trigger_id=trigger.id)
    recorded.update(received_at=F("scheduled_for"))


def results() -> list[str]:
    """Return the results of the events, in their order."""
    drain()
    rows = TriggerExecution.objects.order_by("event_id")
    return [reason or status for status, reason in rows.values_list("status", "reason")]


@pytest.mark.parametrize(
    ("catchup", "expected"),
    [
        ("none", ["missed", "missed", "missed"]),
        ("latest", ["missed", "missed", "success"]),
        ("all", ["success", "success", "success"]),
    ],
)
def test_events_that_waited_for_workers_run_as_if_the_clock_had_been_down(
    catchup: str, expected: list[str]
) -> None:
    record_waiting(make_schedule(catchup=catchup), minutes=3)

    assert results() == expected


@pytest.mark.parametrize("catchup", ["latest", "all"])
def test_nothing_older_than_the_window_runs(catchup: str) -> None:
    record_waiting(make_schedule(catchup=catchup, catchup_window_seconds=90), minutes=3)

    assert results() == ["missed", "missed", "success"]


def test_an_event_within_the_grace_runs() -> None:
    record_waiting(make_schedule(catchup="none", misfire_grace_seconds=90), minutes=2)

    assert results() == ["missed", "success"]


def test_an_instant_that_the_clock_caught_up_runs_at_any_age() -> None:
    trigger = make_schedule(catchup="all")
    record_waiting(trigger, minutes=1)
    Event.objects.update(received_at=timezone.now())

    assert results() == ["success"]


def test_without_catchup_the_grace_counts_from_the_instant() -> None:
    trigger = make_schedule(catchup="none")
    record_waiting(trigger, minutes=1)
    Event.objects.update(received_at=timezone.now())

    assert results() == ["missed"]


def test_a_replay_runs_at_any_age() -> None:
    trigger = make_schedule(catchup="none")
    record_waiting(trigger, minutes=1, replay_of=record().id)

    assert results() == ["success"]


def test_a_backfill_runs_at_any_age() -> None:
    record_waiting(make_schedule(catchup="none"), minutes=2)
    Event.objects.update(type="schedule.backfill")

    assert results() == ["success", "success"]


def test_a_backfill_is_not_the_latest_occurrence() -> None:
    record_waiting(make_schedule(catchup="latest"), minutes=2)
    latest = Event.objects.latest("scheduled_for")
    Event.objects.filter(pk=latest.pk).update(type="schedule.backfill")

    assert results() == ["success", "success"]


def test_other_events_are_never_missed() -> None:
    trigger = make_listener()
    event = record()
    Trigger.objects.update(active_since=F("active_since") - timedelta(days=2))
    Event.objects.update(received_at=F("received_at") - timedelta(days=1))

    assert results() == ["success"]
    assert TriggerExecution.objects.get().event_id == event.id
    assert TriggerExecution.objects.get().trigger == trigger


def test_without_late_events_there_are_no_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    pairs = [Pair(record(), make_listener()) for _ in range(3)]

    with django_assert_num_queries(0):
        assert find_misfires(pairs) == set()


def test_many_late_events_take_one_query_and_the_clock(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    triggers = [make_schedule(catchup="latest") for _ in range(3)]
    for trigger in triggers:
        record_waiting(trigger, minutes=4)
    by_id = {trigger.id: trigger for trigger in triggers}
    pairs = [Pair(e, by_id[e.trigger_id]) for e in Event.objects.all() if e.trigger_id]

    with django_assert_num_queries(2):
        assert len(find_misfires(pairs)) == 9
