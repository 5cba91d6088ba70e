"""Finds the triggers that events concern, with two queries for a whole batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from events.models import Event, EventSource
from executions.pipeline.guard import was_active
from executions.pipeline.new_execution import Pair
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


def load_events(event_ids: Sequence[UUID]) -> list[Event]:
    return list(Event.objects.filter(pk__in=event_ids).order_by("pk"))


def find_pairs(
    events: Sequence[Event], *, limit: int | None = None
) -> tuple[list[Event], list[Pair]]:
    """Return the events taken and their pairs, in the order of the events.

    An event that names a trigger or arrived at its endpoint also finds it when it is
    inactive, so that the execution can say so. By event type, only active triggers are
    found. With a limit, the first events whose pairs fit within the limit are taken,
    but at least one event.
    """
    subscribers = _subscribers(events)
    counts = [len(subscribers.get(_topic(event), ())) for event in events]
    events = events[: _fitting(counts, limit)]
    wanted = {i for event in events for i in subscribers.get(_topic(event), ())}
    triggers = _load_triggers(events, wanted)
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


def patterns_for(event_type: str, source: str) -> list[str]:
    """Return the few patterns that match an event type.

    A webhook is matched only by patterns that name the slug of its webhook type, never
    by `*`: anyone can send webhooks, and `*` means all events of this installation.
    """
    parts = event_type.split(".")
    prefixes = [".".join(parts[:n]) + ".*" for n in range(1, len(parts))]
    anything = [] if source == EventSource.WEBHOOK else ["*"]
    return [event_type, *prefixes, *anything]


def _fitting(counts: Sequence[int], limit: int | None) -> int:
    """Return how many counts, from the first, sum up to the limit; at least one."""
    if limit is None:
        return len(counts)
    within = [total <= limit for total in accumulate(counts)]
    return max(1, sum(within))


def _candidates(
    event: Event,
    triggers: dict[UUID, Trigger],
    by_endpoint: dict[UUID, list[Trigger]],
    subscribers: dict[Topic, list[UUID]],
) -> dict[UUID, Trigger]:
    if event.trigger_id is not None:
        named = triggers.get(event.trigger_id)
        return {named.id: named} if named else {}
    of_endpoint = by_endpoint.get(event.endpoint_id, ()) if event.endpoint_id else ()
    found = {t.id: t for t in of_endpoint if t.created_at <= event.received_at}
    for trigger_id in subscribers.get(_topic(event), ()):
        trigger = triggers.get(trigger_id)
        if trigger is not None and was_active(trigger, event):
            found[trigger_id] = trigger
    return found


def _subscribers(events: Iterable[Event]) -> dict[Topic, list[UUID]]:
    topics = {_topic(event) for event in events if event.trigger_id is None}
    searched = [
        (event_type, source, subject, pattern)
        for event_type, source, subject in sorted(topics)
        for pattern in patterns_for(event_type, source)
    ]
    found: dict[Topic, list[UUID]] = defaultdict(list)
    if searched:
        with connection.cursor() as cursor:
            cursor.execute(
                _SUBSCRIBERS, [list(column) for column in zip(*searched, strict=True)]
            )
            for event_type, source, subject, trigger_id in cursor.fetchall():
                found[event_type, source, subject].append(trigger_id)
    return found


def _topic(event: Event) -> Topic:
    return event.type, event.source, event.subject


def _array(ids: set[UUID]) -> RawSQL:
    """Pass ids as one parameter: a statement takes 65,535, there may be more."""
    return RawSQL("SELECT unnest(%s::uuid[])", [list(ids)])


def _load_triggers(
    events: Iterable[Event], subscribed: set[UUID]
) -> dict[UUID, Trigger]:
    named = {e.trigger_id for e in events if e.trigger_id}
    endpoints = {e.endpoint_id for e in events if e.endpoint_id and not e.trigger_id}
    found = Trigger.objects.present().filter(
        Q(pk__in=_array(named | subscribed)) | Q(endpoint_id__in=_array(endpoints))
    )
    rows = found.select_related("agent", "stats").defer("agent__config")
    return {trigger.id: trigger for trigger in rows.order_by("pk")}
