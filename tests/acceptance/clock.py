"""Scheduled triggers in a running stack, and the events and executions they caused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.acceptance.client import Api
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for

_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An instant that was due, and when its event was recorded and processed."""

    scheduled_for: datetime
    received_at: datetime
    executed_at: datetime

    @property
    def lateness(self) -> timedelta:
        return self.received_at - self.scheduled_for

    @property
    def processing_lateness(self) -> timedelta:
        return self.executed_at - self.scheduled_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A running stack, and an agent for the triggers that a test creates."""

    stack: Stack
    api: Api
    agent_id: str

    def make_cron(self, name: str, cron_expression: str, **fields: object) -> str:
        return self.make_trigger(name, cron_expression=cron_expression, **fields)

    def make_interval(self, name: str, seconds: int, **fields: object) -> str:
        return self.make_trigger(
            name,
            schedule_type="interval",
            schedule_config={"interval_seconds": seconds},
            **fields,
        )

    def make_trigger(self, name: str, **fields: object) -> str:
        """Create a scheduled trigger; return its id."""
        made = self.api.make_trigger(
            **{"schedule_type": "cron", **fields},
            name=name,
            agent_id=self.agent_id,
            trigger_type="cron",
        )
        return str(made["id"])

    def firings(
        self, trigger_id: str, *, after: datetime | None = None
    ) -> list[Firing]:
        """Return the instants later than `after` that fired, oldest first."""
        rows = self.stack.rows(
            "SELECT e.scheduled_for, e.received_at, x.executed_at FROM events_event e "
            "JOIN executions_triggerexecution x ON x.event_id = e.id "
            "WHERE x.trigger_id = %s AND x.status = 'success' "
            "AND e.scheduled_for > %s ORDER BY e.scheduled_for",
            trigger_id,
            after or _ALWAYS,
        )
        return [
            Firing(scheduled_for=due, received_at=recorded, executed_at=done)
            for due, recorded, done in rows
        ]

    def wait_for_firings(
        self, trigger_id: str, count: int, *, after: datetime | None = None
    ) -> list[Firing]:
        """Wait until `count` instants have fired; return all that have."""

        def enough() -> list[Firing]:
            fired = self.firings(trigger_id, after=after)
            return fired if len(fired) >= count else []

        return wait_for(enough, timeout_seconds=90)

    def is_overdue(self, trigger_id: str, by: timedelta) -> bool:
        """Return whether a trigger's next instant has been due for longer than `by`."""
        return self.stack.rows(
            "SELECT next_run_time < clock_timestamp() - %s FROM triggers_trigger "
            "WHERE id = %s",
            by,
            trigger_id,
        ) == [(True,)]

    def counts_its_events(self, trigger_id: str) -> bool:
        """Return whether `scheduled_runs` equals the number of a trigger's events."""
        return self.stack.rows(
            "SELECT t.scheduled_runs = count(e.id) FROM triggers_trigger t "
            "LEFT JOIN events_event e ON e.trigger_id = t.id "
            "AND e.type = 'schedule.due' WHERE t.id = %s GROUP BY t.id",
            trigger_id,
        ) == [(True,)]

    def doubled(self) -> list[datetime]:
        """Return the instants for which a trigger has more than one event."""
        rows = self.stack.rows(
            "SELECT trigger_id, scheduled_for FROM events_event "
            "WHERE scheduled_for IS NOT NULL"
        )
        return [due for (_, due), times in Counter(rows).items() if times > 1]
