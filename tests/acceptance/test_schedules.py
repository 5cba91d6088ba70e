"""Schedules under Celery's own beat and a worker, with the real clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for

pytestmark = pytest.mark.acceptance

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
EVERY_MINUTE, EVERY_FIVE_SECONDS = "* * * * *", "*/5 * * * * *"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An instant that was due, and when a task was made for it."""

    scheduled_for: datetime
    executed_at: datetime

    @property
    def lateness(self) -> timedelta:
        return self.executed_at - self.scheduled_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Running programs, and an agent for the triggers that a test makes."""

    stack: Stack
    api: Api
    agent_id: str

    def make_trigger(self, name: str, cron_expression: str) -> str:
        made = self.api.make_trigger(
            name=name,
            agent_id=self.agent_id,
            trigger_type="cron",
            cron_expression=cron_expression,
        )
        return str(made["id"])

    def firings(
        self, trigger_id: str, *, after: datetime | None = None
    ) -> list[Firing]:
        """Return what fired of the instants after one, oldest first."""
        rows = self.stack.rows(
            "SELECT e.scheduled_for, x.executed_at FROM events_event e "
            "JOIN executions_triggerexecution x ON x.event_id = e.id "
            "WHERE x.trigger_id = %s AND x.status = 'success' "
            "AND e.scheduled_for > %s ORDER BY e.scheduled_for",
            trigger_id,
            after or datetime(2000, 1, 1, tzinfo=UTC),
        )
        return [Firing(scheduled_for=due, executed_at=done) for due, done in rows]


@pytest.fixture(scope="module")
def clock(stack: Stack, client: Api) -> Clock:
    stack.start("web", "worker", "beat")
    return Clock(stack=stack, api=client, agent_id=client.make_echo_agent())


def test_a_minute_fires_within_a_second(clock: Clock) -> None:
    in_time = datetime.now(UTC) + timedelta(seconds=10)
    due = in_time.replace(second=0, microsecond=0) + MINUTE
    trigger_id = clock.make_trigger("minutes", EVERY_MINUTE)

    [first, *_] = wait_for(
        lambda: clock.firings(trigger_id, after=due - SECOND), timeout_seconds=75
    )

    assert first.scheduled_for == due
    assert timedelta(0) <= first.lateness < SECOND


def test_each_fifth_second_fires_once(clock: Clock) -> None:
    trigger_id = clock.make_trigger("seconds", EVERY_FIVE_SECONDS)

    fired = wait_for(
        lambda: f if len(f := clock.firings(trigger_id)) >= 3 else [],
        timeout_seconds=25,
    )

    instants = [firing.scheduled_for for firing in fired]
    assert {b - a for a, b in pairwise(instants)} == {5 * SECOND}
    assert {at.second % 5 for at in instants} == {0}
    # The clock looks once a second, and then somebody must do the work.
    assert max(firing.lateness for firing in fired) < 2 * SECOND


def test_a_disabled_trigger_does_not_fire(clock: Clock) -> None:
    trigger_id = clock.make_trigger("disabled", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(trigger_id), timeout_seconds=15)

    clock.api.post(f"/triggers/{trigger_id}/disable")

    disabled_at = datetime.now(UTC)
    witness = clock.make_trigger("witness", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(witness, after=disabled_at), timeout_seconds=15)
    assert clock.firings(trigger_id, after=disabled_at) == []


def test_a_restart_of_everything_keeps_a_schedule(clock: Clock) -> None:
    trigger_id = clock.make_trigger("kept", EVERY_FIVE_SECONDS)
    wait_for(lambda: clock.firings(trigger_id), timeout_seconds=15)

    clock.stack.stop("web", "worker", "beat")
    clock.stack.lose_broker()
    clock.stack.start_broker()
    clock.stack.start("web", "worker", "beat")

    restarted_at = datetime.now(UTC)
    wait_for(lambda: clock.firings(trigger_id, after=restarted_at), timeout_seconds=15)
    assert clock.api.get(f"/triggers/{trigger_id}")["is_active"] is True
