from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from agents.models import AgentTask
from events.models import Event, Inbox
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from executions.services.run import backfill_trigger
from tests.executions.simulated import (
    MINUTE,
    NOON,
    SimulatedClock,
    audit,
    make_minutely,
    summary,
)
from triggers.models import ScheduleVersion, Trigger
from triggers.services.lifecycle import (
    TriggerNotFound,
    delete_trigger,
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.stats import count_failures

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    return SimulatedClock(monkeypatch)


def minutes(
    numbers: range, status: str, reason: str = ""
) -> list[tuple[int, str, str]]:
    return [(number, status, reason) for number in numbers]


def test_a_run_is_listed_with_its_event_execution_and_task(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely()
    clock.run(minutes=1)

    [entry] = audit(trigger).entries

    event, execution = Event.objects.get(), TriggerExecution.objects.get()
    task = AgentTask.objects.get()
    assert (entry.scheduled_for, entry.due_at) == (NOON + MINUTE, NOON + MINUTE)
    assert (entry.status, entry.reason, entry.note) == ("fired", "", "")
    assert (entry.event_id, entry.fired_at) == (event.pk, event.received_at)
    assert (entry.execution_id, entry.execution_status) == (execution.pk, "success")
    assert (entry.task_id, entry.task_status) == (task.pk, task.status)
    late = (event.received_at - entry.scheduled_for).total_seconds()
    assert entry.lateness_seconds == round(late, 3)


def test_a_lost_event_and_a_lost_execution_are_unaccounted(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely()
    clock.run(minutes=10)
    Event.objects.filter(scheduled_for=NOON + 3 * MINUTE).delete()
    lost = Event.objects.get(scheduled_for=NOON + 7 * MINUTE)
    TriggerExecution.objects.filter(event_id=lost.pk).delete()

    found = audit(trigger)

    assert found.unaccounted() == [NOON + 3 * MINUTE, NOON + 7 * MINUTE]
    assert found.counts() == {
        "fired": 8,
        "skipped": 0,
        "missed": 0,
        "waiting": 0,
        "unaccounted": 2,
    }
    notes = [e.note for e in found.entries if e.status == "unaccounted"]
    assert notes == ["there is no event", "the event has no execution"]


def test_an_instant_that_is_not_processed_yet_is_waiting(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    clock.move(minutes=1)
    clock.claim()
    clock.move(minutes=2)

    found = audit(trigger)

    assert summary(found) == minutes(range(1, 4), "waiting")
    overdue = "overdue: no clock has claimed it yet"
    assert Inbox.objects.count() == 1
    assert [e.note for e in found.entries] == ["", "", ""]
    clock.move(seconds=61)
    assert [e.note for e in audit(trigger).entries] == ["", overdue, overdue, ""]


def test_a_missed_range_covers_its_instants(clock: SimulatedClock) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=5)
    clock.claim()
    drain()

    found = audit(trigger)

    assert summary(found) == [
        *minutes(range(1, 5), "missed", "missed"),
        (5, "fired", ""),
    ]
    range_event = Event.objects.get(type="schedule.missed")
    assert {e.event_id for e in found.entries[:4]} == {range_event.pk}
    assert found.entries[0].fired_at is None


def test_a_missed_range_in_the_inbox_is_waiting(clock: SimulatedClock) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=3)
    clock.claim()

    assert summary(audit(trigger)) == minutes(range(1, 4), "waiting")


def test_a_replay_of_a_missed_range_is_ignored(clock: SimulatedClock) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=2)
    clock.claim()
    drain()
    replay = Event.objects.get(type="schedule.missed")
    replay.replay_of, replay.id = replay.id, uuid4()
    replay.body = b""
    replay.save(force_insert=True)

    assert summary(audit(trigger)) == [(1, "missed", "missed"), (2, "fired", "")]


def test_all_instants_of_a_missed_range_without_an_execution_are_unaccounted(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(catchup="none")
    clock.move(minutes=4)
    clock.claim()
    drain()
    lost = Event.objects.get(type="schedule.missed")
    TriggerExecution.objects.filter(event_id=lost.pk).delete()

    found = audit(trigger)

    assert found.unaccounted() == [NOON + n * MINUTE for n in (1, 2, 3)]
    notes = [entry.note for entry in found.entries]
    assert notes == [*["the event has no execution"] * 3, ""]


@pytest.mark.parametrize(
    ("step", "earlier"), [(1, ("fired", "")), (3, ("skipped", "overlap"))]
)
def test_a_cancelled_execution_is_listed_as_skipped(
    step: int, earlier: tuple[str, str], clock: SimulatedClock
) -> None:
    trigger = make_minutely(overlap="cancel_previous", catchup="all")
    for _ in range(3 // step):
        clock.move(minutes=step)
        clock.claim()
        drain()

    assert summary(audit(trigger)) == [(1, *earlier), (2, *earlier), (3, "fired", "")]


def test_a_skipped_execution_is_listed_with_its_reason(clock: SimulatedClock) -> None:
    trigger = make_minutely(
        conditions={
            "type": "rule",
            "rules": [{"field": "hour", "operator": "eq", "value": 3}],
        }
    )
    clock.run(minutes=1)

    assert summary(audit(trigger)) == [(1, "skipped", "conditions_not_met")]


def test_instants_while_disabled_are_skipped_as_inactive(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    clock.run(minutes=2)
    disable_trigger(trigger_id=trigger.pk)
    clock.run(minutes=2)
    enable_trigger(trigger_id=trigger.pk)
    clock.run(minutes=1)

    assert summary(audit(trigger)) == [
        *minutes(range(1, 3), "fired"),
        *minutes(range(3, 5), "skipped", "inactive"),
        (5, "fired", ""),
    ]


def test_unclaimed_instants_at_an_auto_disable_are_skipped_as_inactive(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(failure_threshold=1)
    clock.run(minutes=1)
    clock.move(minutes=3)

    count_failures(trigger.pk, failures=1)

    clock.move(minutes=1)
    assert summary(audit(trigger)) == [
        (1, "fired", ""),
        *minutes(range(2, 6), "skipped", "inactive"),
    ]


def test_instants_within_the_jitter_of_a_removed_schedule_are_listed(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(jitter_seconds=86_400)
    Trigger.objects.update(next_run_time=NOON + 60 * MINUTE)
    clock.move(seconds=179)

    update_trigger(trigger_id=trigger.pk, fields={"trigger_type": "manual"})

    clock.move(minutes=5)
    assert summary(audit(trigger)) == minutes(range(1, 3), "skipped", "inactive")


def test_unclaimed_instants_of_an_unreadable_schedule_are_listed(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely()
    clock.run(minutes=1)
    Trigger.objects.update(cron_expression="broken")
    clock.move(minutes=2)

    clock.claim()

    assert summary(audit(trigger)) == [
        (1, "fired", ""),
        *minutes(range(2, 4), "skipped", "inactive"),
    ]


def test_a_schedule_ends_after_its_maximum_of_runs(clock: SimulatedClock) -> None:
    trigger = make_minutely(max_runs=2)
    clock.run(minutes=5)
    update_trigger(trigger_id=trigger.pk, fields={"max_runs": 3})
    clock.run(minutes=3)

    assert summary(audit(trigger)) == [(n, "fired", "") for n in (1, 2, 6)]


def test_lost_last_runs_of_an_ended_schedule_are_unaccounted(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(max_runs=2)
    clock.run(minutes=3)
    update_trigger(trigger_id=trigger.pk, fields={"max_runs": 3})
    clock.run(minutes=2)
    Event.objects.exclude(scheduled_for=NOON + MINUTE).delete()

    found = audit(trigger)

    assert summary(found) == [
        (1, "fired", ""),
        (2, "unaccounted", ""),
        (4, "unaccounted", ""),
    ]
    assert found.unaccounted() == [NOON + 2 * MINUTE, NOON + 4 * MINUTE]


def test_instants_within_the_jitter_belong_to_the_changed_schedule(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely(jitter_seconds=600)
    jitter = timedelta(milliseconds=trigger.pk.int % 600_000)
    clock.move(minutes=30)
    clock.claim()

    update_trigger(trigger_id=trigger.pk, fields={"cron_expression": "*/2 * * * *"})
    clock.move(minutes=30)
    clock.claim()
    drain()

    found = audit(trigger)
    assert found.unaccounted() == []
    waited = [e for e in found.entries if e.scheduled_for > NOON + 30 * MINUTE - jitter]
    assert all(e.scheduled_for.minute % 2 == 0 for e in waited)
    assert {e.due_at for e in waited} == {e.scheduled_for + jitter for e in waited}


def test_an_instant_that_only_has_an_event_is_listed(
    clock: SimulatedClock,
) -> None:
    trigger = make_minutely()
    backfill_trigger(trigger_id=trigger.pk, since=NOON - 2 * MINUTE, until=NOON)

    found = audit(trigger, since=NOON - 60 * MINUTE)

    assert summary(found) == minutes(range(-2, 1), "waiting")
    assert [(e.due_at, e.note) for e in found.entries] == [(None, "a backfill")] * 3


def test_a_version_that_cannot_be_computed_is_noted(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    clock.run(minutes=1)
    version = ScheduleVersion.objects.get()
    version.definition["cron_expression"] = "broken"
    version.save(update_fields=["definition"])

    found = audit(trigger)

    assert summary(found) == [(1, "fired", "")]
    [note] = found.notes
    assert note.startswith(f"The schedule after {NOON.isoformat()}: ")


def test_a_deleted_trigger_has_no_ledger(clock: SimulatedClock) -> None:
    trigger = make_minutely()
    delete_trigger(trigger_id=trigger.pk)

    with pytest.raises(TriggerNotFound):
        audit(trigger)
    with pytest.raises(TriggerNotFound):
        audit(Trigger(pk=uuid4()))
