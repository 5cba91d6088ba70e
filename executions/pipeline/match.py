"""Finds the triggers that events concern, and the pairs that must not start.

The look-up takes two queries for a whole batch. A pair that must not start is skipped
before any condition is evaluated.

The lateness of a scheduled event is checked here again, although the clock has checked
it: the workers may have been down after the clock recorded the event. The result is
the same as if the clock had been down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Q
from django.db.models.expressions import RawSQL

from common.database.sql import database_now
from events.models import Event, EventSource
from executions.models import Reason
from triggers.models import Catchup, Trigger
from triggers.services.scheduling import SCHEDULE_BACKFILL, SCHEDULE_MISSED, jitter_of

MAX_DEPTH = 8

_SUBSCRIBERS = """
SELECT DISTINCT v.type, v.source, v.subject, s.trigger_id
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS v(type, source, subject, pattern)
JOIN triggers_subscription s
    ON s.pattern = v.pattern AND s.subject IN ('', v.subject)
JOIN triggers_trigger t ON t.id = s.trigger_id AND t.is_active AND t.deleted_at IS NULL
"""

Topic = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """A trigger and an event that concerns it. Each pair becomes one execution."""

    event: Event
    trigger: Trigger


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


def reason_to_skip(pair: Pair, *, is_missed: bool) -> Reason | None:
    """Return why a run must not start; None if its conditions decide."""
    trigger, event = pair.trigger, pair.event
    if event.type == SCHEDULE_MISSED:
        return Reason.MISSED
    if not is_requested(event):
        if not was_active(trigger, event):
            return Reason.INACTIVE
        if trigger.is_paused(event.received_at):
            return Reason.PAUSED
    if is_missed:
        return Reason.MISSED
    if not trigger.agent.is_active:
        return Reason.AGENT_INACTIVE
    if event.depth > MAX_DEPTH:
        return Reason.LOOP
    return None


def was_active(trigger: Trigger, event: Event) -> bool:
    """Return whether a trigger is active and was active when the event arrived."""
    since = trigger.active_since
    return trigger.can_run and since is not None and since <= event.received_at


def is_requested(event: Event) -> bool:
    """Return whether a person requested this run.

    Such a run starts although the trigger is disabled or paused, or the run is late.
    """
    return event.source == EventSource.MANUAL or event.type == SCHEDULE_BACKFILL


def options_of(event: Event) -> dict[str, Any]:
    """Return the options of a run that a person requested; empty for others."""
    return event.options if isinstance(event.options, dict) else {}


def find_misfires(pairs: Sequence[Pair]) -> set[UUID]:
    """Return the scheduled events that waited longer than their policy allows."""
    if not any(p.event.source == EventSource.SCHEDULE for p in pairs):
        return set()
    now = database_now()
    late = [pair for pair in pairs if _is_late(pair, now)]
    latest = _latest_of(pair for pair in late if pair.trigger.catchup == Catchup.LATEST)
    return {pair.event.id for pair in late if _is_missed(pair, latest, now)}


def _is_late(pair: Pair, now: datetime) -> bool:
    """Return whether more than the grace has passed since an occurrence had to run.

    Without catch-up an occurrence had to run when it was due. With catch-up it had to
    run when the clock recorded it, because the clock may have caught it up.
    """
    event = pair.event
    if event.source != EventSource.SCHEDULE or event.scheduled_for is None:
        return False
    if event.replay_of is not None or is_requested(event):
        return False
    had_to_run_at = event.received_at
    if pair.trigger.catchup == Catchup.NONE:
        had_to_run_at = event.scheduled_for + jitter_of(pair.trigger)
    return now - had_to_run_at > timedelta(seconds=pair.trigger.misfire_grace_seconds)


def _is_missed(pair: Pair, latest: Mapping[UUID, datetime], now: datetime) -> bool:
    trigger, due = pair.trigger, pair.event.scheduled_for
    assert due is not None  # noqa: S101 - _is_late checks it
    window = timedelta(seconds=trigger.catchup_window_seconds)
    if now - due - jitter_of(trigger) > window:
        return True
    match trigger.catchup:
        case Catchup.ALL:
            return False
        case Catchup.LATEST:
            return due < latest[trigger.id]
    return True


def _latest_of(pairs: Iterable[Pair]) -> dict[UUID, datetime]:
    """Return the latest recorded occurrence of each trigger, processed or not."""
    waiting = list(pairs)
    if not waiting:
        return {}
    occurrences = Event.objects.filter(
        trigger_id__in={pair.trigger.id for pair in waiting},
        id__gte=min(pair.event.id for pair in waiting),
        source=EventSource.SCHEDULE,
        scheduled_for__isnull=False,
    ).exclude(type=SCHEDULE_BACKFILL)
    grouped = occurrences.order_by().values("trigger_id")
    rows = grouped.annotate(latest=Max("scheduled_for"))
    return {row["trigger_id"]: row["latest"] for row in rows if row["trigger_id"]}
