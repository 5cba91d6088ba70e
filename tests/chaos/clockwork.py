"""Hundreds of scheduled triggers, and the check that each instant has one event."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.client import Api, Request, send_all
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for
from triggers.schedules import Schedule, build_schedule, occurrences

_MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """The seconds between instants and the recording of their events."""

    events: int
    median: float
    worst: float

    def __str__(self) -> str:
        return f"{self.events} events, median {self.median:.3f} s, {self.worst:.3f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockwork:
    """Scheduled triggers of a running stack, with all their instants."""

    stack: Stack
    schedules: Mapping[str, Schedule]

    def due(self, trigger_id: str, start: datetime, end: datetime) -> list[datetime]:
        """Return a trigger's instants after `start` and up to `end`."""
        return occurrences(self.schedules[trigger_id], start, end, limit=_MOST)

    def wait_until(self, instant: datetime) -> None:
        """Wait until the database's clock shows this instant."""
        seconds = (instant - self.now()).total_seconds()
        wait_for(lambda: self.now() >= instant, timeout_seconds=seconds + 60)

    def now(self) -> datetime:
        [[now]] = self.stack.rows("SELECT clock_timestamp()")
        return datetime.fromtimestamp(now.timestamp(), UTC)

    def assert_each_instant_is_one_event(
        self, start: datetime, end: datetime
    ) -> Lateness:
        """Check all triggers in a range; return the lateness of their events."""
        expected = sum(len(self.due(name, start, end)) for name in self.schedules)
        wait_for(
            lambda: sum(map(len, self._recorded(start, end).values())) >= expected,
            timeout_seconds=60,
        )
        recorded = self._recorded(start, end)
        for trigger_id in self.schedules:
            due = self.due(trigger_id, start, end)
            assert [at for at, _ in recorded[trigger_id]] == due, trigger_id
        late = sorted(
            (received - at).total_seconds()
            for events in recorded.values()
            for at, received in events
        )
        return Lateness(events=len(late), median=late[len(late) // 2], worst=late[-1])

    def _recorded(
        self, start: datetime, end: datetime
    ) -> Mapping[str, list[tuple[datetime, datetime]]]:
        rows = self.stack.rows(
            "SELECT trigger_id::text, scheduled_for, received_at FROM events_event "
            "WHERE scheduled_for > %s AND scheduled_for <= %s ORDER BY scheduled_for",
            start,
            end,
        )
        recorded = defaultdict(list)
        for trigger_id, at, received in rows:
            recorded[trigger_id].append((at, received))
        return recorded


def make_clockwork(
    stack: Stack, api: Api, triggers: Sequence[Mapping[str, object]]
) -> Clockwork:
    """Create scheduled triggers, several at once."""
    agent_id = api.make_echo_agent()
    common = {"agent_id": agent_id, "trigger_type": "cron"}
    requests = [
        api.request("POST", "/triggers", {"name": f"clock {n}", **common, **fields})
        for n, fields in enumerate(triggers)
    ]
    made = [json.loads(body) for body in _answers(stack, requests)]
    return Clockwork(stack=stack, schedules=dict(map(_schedule, made)))


def every(seconds: int, **fields: object) -> dict[str, object]:
    """Return the fields of an interval trigger, which counts from its creation."""
    config = {"interval_seconds": seconds}
    return {"schedule_type": "interval", "schedule_config": config, **fields}


def at_every(seconds: int, **fields: object) -> dict[str, object]:
    """Return the fields of a cron trigger, which is due together with all others."""
    expression = f"*/{seconds} * * * * *"
    return {"schedule_type": "cron", "cron_expression": expression, **fields}


def _answers(stack: Stack, requests: Sequence[Request]) -> Iterator[bytes]:
    for answer in send_all(stack.url, requests):
        assert answer.status == 201, answer
        yield answer.body


def _schedule(trigger: dict[str, Any]) -> tuple[str, Schedule]:
    created_at = datetime.fromisoformat(trigger["created_at"])
    schedule = build_schedule(
        trigger["schedule_type"],
        config=trigger["schedule_config"],
        cron_expression=trigger["cron_expression"],
        timezone=trigger["timezone"],
        anchor=created_at,
    )
    return trigger["id"], schedule


SECOND = timedelta(seconds=1)
