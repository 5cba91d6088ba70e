from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from events.models import Event
from executions.pipeline.bodies import Body, read_bodies
from executions.pipeline.document import shared_part
from executions.pipeline.judge import judge
from executions.pipeline.matching import Pair
from executions.pipeline.misfire import find_misfires
from executions.pipeline.outcome import Outcome
from executions.pipeline.parsed import EventParser
from senders.sandbox import SandboxUnavailable

# The server ends a transaction that is idle for 30 s.
MAX_JUDGING_SECONDS = 10.0


@dataclass(slots=True)
class Judged:
    """The events judged, what is to become of them, and the events that must wait."""

    event_ids: list[UUID] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    put_aside: list[UUID] = field(default_factory=list)


def judge_all(
    events: Sequence[Event], pairs: Sequence[Pair], parser: EventParser
) -> Judged:
    """Judge event by event, at least one, until time is up.

    An event whose type's code can't run now is put aside.
    """
    bodies, missed = read_bodies(events), find_misfires(pairs)
    by_event: dict[UUID, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_event[pair.event.id].append(pair)
    judged = Judged()
    deadline = time.monotonic() + MAX_JUDGING_SECONDS
    for event in events:
        if judged.event_ids and time.monotonic() > deadline:
            break
        concerned, body = by_event[event.id], bodies[event.id]
        try:
            judged.outcomes += _judge_event(
                concerned, body, parser, is_missed=event.id in missed
            )
        except SandboxUnavailable:
            judged.put_aside.append(event.id)
        else:
            judged.event_ids.append(event.id)
    return judged


def _judge_event(
    pairs: Sequence[Pair], body: Body, parser: EventParser, *, is_missed: bool
) -> list[Outcome]:
    """Judge an event for all it concerns; no code runs for one that concerns nobody."""
    if not pairs:
        return []
    event = pairs[0].event
    shared = shared_part(event, body, parser.parse(event, body))
    return [judge(pair, body, shared, is_missed=is_missed) for pair in pairs]
