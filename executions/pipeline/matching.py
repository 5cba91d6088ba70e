"""Which triggers an event concerns, with two queries for a whole batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from events.models import Event, EventSource
from triggers.models import Trigger

_SUBSCRIBERS = """
SELECT DISTINCT v.type, v.source, v.subject, s.trigger_id
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS v(type, source, subject, pattern)
JOIN triggers_subscription s
    ON s.pattern = v.pattern AND s.subject IN ('', v.subject)
JOIN triggers_trigger t ON t.id = s.trigger_id AND t.is_active AND t.deleted_at IS NULL
"""

Topic = tuple[str, str, str]

# An occurrence of the past that a person asked for.
BACKFILL = "schedule.backfill"


@dataclass(frozen=True, slots=True)
class Pair:
    """A trigger and an event that concerns it: what becomes one execution."""

    event: Event
    trigger: Trigger


def find_pairs(
    events: Sequence[Event], *, limit: int | None = None
) -> tuple[list[Event], list[Pair]]:
    """Return the candidates of all events, in the order of the events.

    By aim and by endpoint a trigger is found even when it is switched off, so that
    this can be said; by event type only active ones are looked at. With a limit, only
    the first events are taken, whose pairs are no more than that; at least one event.
    """
    subscribers = _subscribers(events)
    counts = [len(subscribers.get(_topic(event), ())) for event in events]
    events = events[: _fitting(counts, limit)]
    wanted = {i for event in events for i in subscribers.get(_topic(event), ())}
    triggers = _load(events, wanted)
    by_endpoint: dict[UUID, list[Trigger]] = defaultdict(list)
    for trigger in triggers.values():
        if trigger.endpoint_id is not None:
            by_endpoint[trigger.endpoint_id].append(trigger)
    found = [_candidates(e, triggers, by_endpoint, subscribers) for e in events]
    taken = events[: _fitting([len(candidates) for candidates in found], limit)]
    pairs = [
        Pair(event, trigger)
        for event, candidates in zip(taken, found, strict=False)
        for trigger in candidates.values()
    ]
    return list(taken), pairs


def _fitting(counts: Sequence[int], limit: int | None) -> int:
    """Return how many counts, from the first, sum up to the limit; at least one."""
    if limit is None:
        return len(counts)
    within = [total <= limit for total in accumulate(counts)]
    return max(1, sum(within))


def was_active(trigger: Trigger, event: Event) -> bool:
    """Whether a trigger is active, and was so when the event came."""
    since = trigger.active_since
    return trigger.can_run and since is not None and since <= event.received_at


def is_asked_for(event: Event) -> bool:
    """Whether a person wants just this run: no switch, pause or lateness forbids it."""
    return event.source == EventSource.MANUAL or event.type == BACKFILL


def patterns_for(event_type: str, source: str) -> list[str]:
    """Return the few patterns that match an event type.

    What a stranger can send is matched only by patterns that name the slug of its
    webhook type: never by `*`, which means "all that happens in our own house".
    """
    parts = event_type.split(".")
    prefixes = [".".join(parts[:n]) + ".*" for n in range(1, len(parts))]
    anything = [] if source == EventSource.WEBHOOK else ["*"]
    return [event_type, *prefixes, *anything]


def _candidates(
    event: Event,
    triggers: dict[UUID, Trigger],
    by_endpoint: dict[UUID, list[Trigger]],
    subscribers: dict[Topic, list[UUID]],
) -> dict[UUID, Trigger]:
    if event.trigger_id is not None:
        aimed_at = triggers.get(event.trigger_id)
        return {aimed_at.id: aimed_at} if aimed_at else {}
    came_by = by_endpoint.get(event.endpoint_id, ()) if event.endpoint_id else ()
    found = {t.id: t for t in came_by if t.created_at <= event.received_at}
    for trigger_id in subscribers.get(_topic(event), ()):
        trigger = triggers.get(trigger_id)
        if trigger is not None and was_active(trigger, event):
            found[trigger_id] = trigger
    return found


def _subscribers(events: Iterable[Event]) -> dict[Topic, list[UUID]]:
    topics = {_topic(event) for event in events if event.trigger_id is None}
    asked = [
        (event_type, source, subject, pattern)
        for event_type, source, subject in sorted(topics)
        for pattern in patterns_for(event_type, source)
    ]
    found: dict[Topic, list[UUID]] = defaultdict(list)
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(
                _SUBSCRIBERS, [list(column) for column in zip(*asked, strict=True)]
            )
            for event_type, source, subject, trigger_id in cursor.fetchall():
                found[event_type, source, subject].append(trigger_id)
    return found


def _topic(event: Event) -> Topic:
    return event.type, event.source, event.subject


def _array(ids: set[UUID]) -> RawSQL:
    """Pass ids as one parameter: a statement takes 65,535, a type may have more."""
    return RawSQL("SELECT unnest(%s::uuid[])", [list(ids)])


def _load(events: Iterable[Event], subscribed: set[UUID]) -> dict[UUID, Trigger]:
    aimed = {e.trigger_id for e in events if e.trigger_id}
    endpoints = {e.endpoint_id for e in events if e.endpoint_id and not e.trigger_id}
    found = Trigger.objects.present().filter(
        Q(pk__in=_array(aimed | subscribed)) | Q(endpoint_id__in=_array(endpoints))
    )
    rows = found.select_related("agent", "stats").defer("agent__config")
    return {trigger.id: trigger for trigger in rows.order_by("pk")}
