"""What a claim found due of one trigger, and the events that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.fields import dump_json
from events.models import EventSource
from events.services.record import NewEvent, dedupe_key
from triggers.models import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one due trigger came to: the occurrences to run, those missed, the next."""

    trigger: Trigger
    fired: Sequence[datetime]
    missed: Sequence[datetime]
    next_nominal: datetime | None


def events_of(claim: Claim) -> list[NewEvent]:
    """Return an event per occurrence that runs, and one for those missed."""
    events = [_occurrence(claim.trigger, at) for at in claim.fired]
    if claim.missed:
        events.append(_missed(claim))
    return events


def _occurrence(trigger: Trigger, at: datetime) -> NewEvent:
    body = {
        "trigger_type": "schedule",
        "schedule_type": trigger.schedule_type,
        "scheduled_time": at.isoformat(),
    }
    return NewEvent(
        type="schedule.due",
        source=EventSource.SCHEDULE,
        trigger_id=trigger.id,
        subject=trigger.subject,
        scheduled_for=at,
        body=dump_json(body).encode(),
        dedupe_key=dedupe_key(EventSource.SCHEDULE, trigger.id, at.isoformat()),
    )


def _missed(claim: Claim) -> NewEvent:
    first, last = claim.missed[0].isoformat(), claim.missed[-1].isoformat()
    body = {"count": len(claim.missed), "from": first, "to": last}
    return NewEvent(
        type="schedule.missed",
        source=EventSource.SCHEDULE,
        trigger_id=claim.trigger.id,
        subject=claim.trigger.subject,
        body=dump_json(body).encode(),
        dedupe_key=dedupe_key(
            EventSource.SCHEDULE, claim.trigger.id, f"missed {first} {last}"
        ),
    )
