"""Occurrences of one trigger, as a claim or a person takes them, and their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key
from triggers.models import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A range that does not run; where counting was bounded there were more."""

    first: datetime
    last: datetime
    count: int
    is_bounded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one due trigger came to: the occurrences to run, those missed, the next."""

    trigger: Trigger
    fired: Sequence[datetime]
    missed: Missed | None
    next_nominal: datetime | None

    @property
    def size(self) -> int:
        return len(self.fired) + self._missed_count

    @property
    def cost(self) -> int:
        """What it takes of a claim's limit: counting costs a tenth of recording."""
        return max(1, len(self.fired) + self._missed_count // 10)

    @property
    def _missed_count(self) -> int:
        return self.missed.count if self.missed else 0


def events_of(claim: Claim) -> list[NewEvent]:
    """Return an event per occurrence that runs, and one for those missed."""
    events = [_occurrence(claim.trigger, at, "schedule.due") for at in claim.fired]
    if claim.missed is not None:
        events.append(_missed(claim.trigger, claim.missed))
    return events


def backfill_events(
    trigger: Trigger, instants: Iterable[datetime], *, overlap: str | None
) -> list[NewEvent]:
    """Return an event per past occurrence that a person asks for.

    Under the key that the clock uses, too: an instant has one event whoever records it.
    """
    options = dump_json({"overlap": overlap}) if overlap else None
    return [
        _occurrence(trigger, at, "schedule.backfill", options=options)
        for at in instants
    ]


def _occurrence(
    trigger: Trigger,
    at: datetime,
    event_type: str,
    *,
    options: str | None = None,
) -> NewEvent:
    body = {
        "trigger_type": "schedule",
        "schedule_type": trigger.schedule_type,
        "scheduled_time": at.isoformat(),
    }
    return NewEvent(
        type=event_type,
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        scheduled_for=at,
        body=dump_json(body).encode(),
        options=options,
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, at.isoformat()),
    )


def _missed(trigger: Trigger, missed: Missed) -> NewEvent:
    first, last = missed.first.isoformat(), missed.last.isoformat()
    body: dict[str, object] = {"count": missed.count, "from": first, "to": last}
    if missed.is_bounded:
        body["at_least"] = True
    key = f"missed {first} {last}"
    return NewEvent(
        type="schedule.missed",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        body=dump_json(body).encode(),
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, key),
    )
