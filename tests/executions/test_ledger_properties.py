"""Any sequence of changes to a trigger leaves all its instants accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from django.db import connection

from events.models import Event
from executions.models import FAILED_STATUSES
from executions.pipeline.drain import drain
from executions.services.ledger import Ledger
from executions.services.ledger_entries import LedgerEntry, OccurrenceStatus
from executions.services.run import backfill_trigger
from tests.executions.simulated import NOON, SimulatedClock, audit, make_minutely
from triggers.models import Trigger
from triggers.schedules import occurrences
from triggers.services.lifecycle import (
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.scheduling import is_spent, schedule_of
from triggers.services.stats import count_failures
from triggers.services.validation import InvalidTrigger

pytestmark = pytest.mark.django_db

LIVES = 40
STEPS = 30

_LOSE_EXECUTION = "DELETE FROM executions_triggerexecution WHERE event_id = %s"


def cron(expression: str) -> dict[str, object]:
    return {
        "schedule_type": "cron",
        "schedule_config": {},
        "cron_expression": expression,
    }


def other(schedule_type: str, **config: object) -> dict[str, object]:
    return {
        "schedule_type": schedule_type,
        "schedule_config": config,
        "cron_expression": None,
    }


SCHEDULES = (
    cron("* * * * *"),
    cron("*/7 * * * *"),
    cron("*/20 * * * * *"),
    other("interval", interval_seconds=45),
    other("once", at="2026-06-01T13:00:30Z"),
)
WITHOUT_A_RUN = {"/end_at", "/schedule_config/at"}


class Life:
    """The changes that a trigger may go through, in any order."""

    def __init__(self, clock: SimulatedClock, random: Random) -> None:
        self.clock, self.random = clock, random
        self.trigger = make_minutely(failure_threshold=1_000)
        self.changed_at = clock.now
        self.acts: tuple[Callable[[], object], ...] = (
            *(self.pass_some_time, self.claim) * 4,
            *(self.enable,) * 3,
            drain,
            self.reschedule,
            self.move_jitter,
            self.limit_runs,
            self.change_policy,
            self.bound,
            self.pause,
            self.retype,
            self.rename,
            self.disable,
            self.fail,
            self.break_schedule,
            self.backfill,
        )

    def step(self) -> None:
        self.random.choice(self.acts)()

    def pass_some_time(self) -> None:
        self.clock.move(seconds=self.random.choice((0.5, 20, 61, 200, 1_500)))

    def claim(self) -> None:
        self.clock.claim()

    def reschedule(self) -> None:
        self.update(**self.random.choice(SCHEDULES))

    def move_jitter(self) -> None:
        self.update(jitter_seconds=self.random.choice((0, 1, 90, 900)))

    def limit_runs(self) -> None:
        ran = Trigger.objects.get(pk=self.trigger.pk).scheduled_runs
        self.update(max_runs=self.random.choice((None, 1, ran + 1, ran + 5)))

    def change_policy(self) -> None:
        self.update(
            catchup=self.random.choice(("none", "latest", "all")),
            catchup_window_seconds=self.random.choice((0, 60, 600, 86_400)),
            misfire_grace_seconds=self.random.choice((1, 30, 300)),
            overlap=self.random.choice(("allow", "skip", "cancel_previous")),
        )

    def bound(self) -> None:
        at = self.clock.now + timedelta(seconds=self.random.choice((-90, 0, 90)))
        start, end = self.random.choice(((at, None), (None, at), (None, None)))
        self.update(start_at=start, end_at=end)

    def pause(self) -> None:
        seconds = self.random.choice((-60, 30, 400, 2_000))
        until = self.clock.now + timedelta(seconds=seconds)
        self.update(paused_until=self.random.choice((None, until)))

    def retype(self) -> None:
        self.update(trigger_type=self.random.choice(("manual", "cron")))

    def rename(self) -> None:
        self.update(name=f"trigger-{self.random.random()}")

    def disable(self) -> None:
        disable_trigger(trigger_id=self.trigger.pk)

    def enable(self) -> None:
        enable_trigger(trigger_id=self.trigger.pk)

    def fail(self) -> None:
        count_failures(self.trigger.pk, failures=1_000)

    def break_schedule(self) -> None:
        """Let a clock claim an unreadable schedule; then repair the schedule."""
        Trigger.objects.update(schedule_type="cron", cron_expression="broken")
        self.claim()
        self.update(**self.random.choice(SCHEDULES[:-1]), end_at=None)

    def backfill(self) -> None:
        if Trigger.objects.get(pk=self.trigger.pk).has_schedule:
            backfill_trigger(
                trigger_id=self.trigger.pk,
                since=self.clock.now - timedelta(seconds=300),
                limit=3,
            )

    def update(self, **fields: object) -> None:
        """Change the trigger; a schedule without any run ahead is refused (D26)."""
        try:
            update_trigger(trigger_id=self.trigger.pk, fields=fields)
        except InvalidTrigger as refused:
            if not {fault.pointer for fault in refused.faults} <= WITHOUT_A_RUN:
                raise
        else:
            self.changed_at = self.clock.now

    def audit(self) -> Ledger:
        return audit(self.trigger, since=NOON - timedelta(hours=1))

    def check(self) -> Ledger:
        """Check that each instant is listed once and accounted for, with all events."""
        found = self.audit()
        instants = [entry.scheduled_for for entry in found.entries]
        events = Event.objects.filter(scheduled_for__isnull=False)
        assert found.unaccounted() == []
        assert all(map(has_run, found.entries))
        assert instants == sorted(set(instants))
        assert set(events.values_list("scheduled_for", flat=True)) <= set(instants)
        assert self.planned_since_the_change() <= set(instants)
        return found

    def lose(self, found: Ledger) -> list[datetime]:
        """Delete an event and the execution of another; return their instants."""
        with_event = [entry for entry in found.entries if entry.event_id]
        planned = [
            entry for entry in with_event if not entry.note
        ]  # a backfill may not be
        event_id = self.pick(planned)
        executed = self.pick(
            [entry for entry in with_event if entry.event_id != event_id]
        )
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM events_event WHERE id = %s", [event_id])
            cursor.execute(_LOSE_EXECUTION, [executed])
        lost = (event_id, executed)
        return [entry.scheduled_for for entry in with_event if entry.event_id in lost]

    def pick(self, entries: Sequence[LedgerEntry]) -> UUID | None:
        """Choose one of the events at random, whatever number of instants it has."""
        ids = dict.fromkeys(entry.event_id for entry in entries)
        return self.random.choice([*ids]) if ids else None

    def planned_since_the_change(self) -> set[datetime]:
        """Return the instants of the current schedule since its last change."""
        trigger = Trigger.objects.get(pk=self.trigger.pk)
        if not trigger.has_schedule or is_spent(trigger):
            return set()
        schedule = schedule_of(trigger)
        return set(occurrences(schedule, self.changed_at, self.clock.now, limit=10_000))


def has_run(entry: LedgerEntry) -> bool:
    """Return whether an entry that fired has a task or a failed execution."""
    has_task = entry.task_id is not None
    is_failed = entry.execution_status in FAILED_STATUSES
    return entry.status != OccurrenceStatus.FIRED or has_task or is_failed


@pytest.mark.parametrize("seed", range(LIVES))
def test_no_sequence_of_changes_leaves_an_instant_unaccounted(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock(monkeypatch)
    life = Life(clock, Random(seed))  # noqa: S311 - no secret

    for _ in range(STEPS):
        life.step()
        life.check()
    clock.claim()
    drain()

    found = life.check()
    waiting = [e for e in found.entries if e.status == OccurrenceStatus.WAITING]
    assert all(entry.due_at and entry.due_at > clock.now for entry in waiting)
    lost = life.lose(found)
    assert life.audit().unaccounted() == lost
