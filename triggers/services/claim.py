"""Claims due triggers. Every clock calls this; any number of clocks can run at once.

A claim reads due triggers from the partial index and plans their occurrences without
holding a lock. Then one statement moves each trigger to its next run, if its row is
unchanged, and records one event per occurrence. So a crash leaves all of it or none,
each occurrence is one event although several clocks see it, and a clock that stops in
the middle blocks no other. The due triggers share a claim's limit equally, so a trigger
that catches up does not delay the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from access.actors import because
from access.audit.records import record_update
from common.database.sql import database_now
from common.errors import clean_text
from common.fields import dump_json
from events.models import EventSource
from events.services.record import (
    NewEvent,
    announce_events,
    event_columns,
    record_events,
    recording_sql,
)
from triggers.clock import get_clock
from triggers.models import Trigger
from triggers.services.due_index import DueFloor, find_due, seconds_until_due
from triggers.services.schedule_history import version_boundary, write_inactive_version
from triggers.services.scheduling import (
    MAX_OCCURRENCES,
    Claim,
    events_of,
    jitter_of,
    plan_claim,
    schedule_of,
)

logger = logging.getLogger(__name__)

_MOVED = """
held AS (
    SELECT c.* FROM triggers_trigger t JOIN
    unnest(%s::uuid[], %s::timestamptz[], %s::bigint[], %s::timestamptz[],
        %s::timestamptz[], %s::bigint[], %s::timestamptz[])
    AS c(id, was, version, nominal, due, fired, last_fired)
    ON t.id = c.id AND t.next_run_time = c.was AND t.version = c.version
    WHERE t.is_active FOR NO KEY UPDATE OF t SKIP LOCKED
), moved AS (
    UPDATE triggers_trigger t SET next_scheduled_for = h.nominal,
        next_run_time = h.due, scheduled_runs = t.scheduled_runs + h.fired,
        last_scheduled_for = coalesce(h.last_fired, t.last_scheduled_for)
    FROM held h WHERE t.id = h.id RETURNING t.id
)
"""


def claim_due(
    *,
    now: datetime | None = None,
    limit: int = MAX_OCCURRENCES,
    since: datetime | None = None,
) -> int:
    """Record an event for each occurrence that is due; return how many came due.

    Missed occurrences count, those that another clock claimed do not. One call claims
    about `limit` of them: call again until it returns 0. `now` is the database's clock
    by default. Triggers that came due before `since` are left out.
    """
    now = now or database_now()
    due = find_due(now, limit=limit, since=since)
    share = max(1, limit // len(due)) if due else 0
    claims, budget = [], limit
    # The last ones due go first: counting missed runs of the others can use it all up.
    for trigger in reversed(due):
        if budget <= 0:
            break
        claim = _plan_or_disable(trigger, now, min(share, budget))
        if claim is not None:
            claims.append(claim)
            budget -= claim.cost
    moved = _record_claims(claims) if claims else set()
    return sum(claim.size for claim in claims if claim.trigger.id in moved)


def claim_while_due(
    go_on: Callable[[], bool], floor: DueFloor | None = None
) -> float | None:
    """Claim while triggers are due; return the seconds until the next one is.

    The result is 0 or negative if other clocks hold the due triggers, or if `go_on`
    returned False; None if no trigger has a next run. The caller passes the same floor
    to each call.
    """
    floor = floor or DueFloor()
    wait = seconds_until_due(floor)
    while wait is not None and wait <= 0 and go_on():
        if not claim_due(since=floor.instant):
            break
        wait = seconds_until_due(floor)
    return wait


def record_due(trigger: Trigger, now: datetime) -> Claim | None:
    """Record the due occurrences of a trigger that is about to change; return them.

    The caller holds the row lock and plans the next run. If the schedule cannot be
    computed, the stored instant still runs.
    """
    due_at = trigger.next_run_time if trigger.is_active else None
    if due_at is None or due_at > now:
        return None
    try:
        claim = plan_claim(trigger, schedule_of(trigger), now, MAX_OCCURRENCES)
    except SoftTimeLimitExceeded:  # the worker's time is up: no fault of this trigger
        raise
    except Exception:
        logger.exception("Trigger %s: its due runs cannot be computed", trigger.id)
        known = trigger.next_scheduled_for or due_at
        claim = Claim(trigger=trigger, fired=[known], missed=None, next_nominal=None)
    record_events(events_of(claim))
    return claim


def _plan_or_disable(trigger: Trigger, now: datetime, budget: int) -> Claim | None:
    try:
        return plan_claim(trigger, schedule_of(trigger), now, budget)
    except SoftTimeLimitExceeded:  # the worker's time is up: no fault of this trigger
        raise
    except Exception as error:
        logger.exception("Trigger %s: its next run cannot be computed", trigger.id)
        _disable_unplannable(trigger, error)
        return None


def _record_claims(claims: Sequence[Claim]) -> set[UUID]:
    """Move triggers to their next run and record their events; return the moved ids."""
    moves = [list(column) for column in zip(*map(_move_of, claims), strict=True)]
    events = [event for claim in claims for event in events_of(claim)]
    recording = recording_sql(only="v.trigger_id IN (SELECT id FROM moved)")
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {_MOVED}, {recording} SELECT id FROM moved",  # noqa: S608 - our own
            [*moves, *event_columns(events)],
        )
        moved = {row[0] for row in cursor.fetchall()}
    if moved:
        announce_events()
    return moved


def _move_of(claim: Claim) -> tuple[object, ...]:
    """Return a row of `_MOVED`: the state that was read, then the next one."""
    trigger, nominal = claim.trigger, claim.next_nominal
    due = nominal + jitter_of(trigger) if nominal else None
    was = (trigger.id, trigger.next_run_time, trigger.version)
    last_fired = claim.fired[-1] if claim.fired else None
    return (*was, nominal, due, len(claim.fired), last_fired)


def _disable_unplannable(trigger: Trigger, error: Exception) -> None:
    """Disable a trigger whose next run cannot be computed; the others continue.

    If several clocks see it at once, exactly one disables it. A trigger that was
    changed in the meantime stays as it is.
    """
    body = {"trigger_id": str(trigger.id), "name": trigger.name, "error": str(error)}
    announcement = NewEvent(
        type="trigger.set_aside",
        source=EventSource.INTERNAL,
        body=dump_json(body).encode(),
    )
    reason = clean_text(f"its next run cannot be computed: {error}", limit=255)
    with transaction.atomic():
        unchanged = Trigger.objects.filter(
            pk=trigger.pk, version=trigger.version, next_run_time=trigger.next_run_time
        )
        if not unchanged.filter(is_active=True).update(
            is_active=False,
            active_since=None,
            next_run_time=None,
            next_scheduled_for=None,
            version=trigger.version + 1,
            disabled_reason=reason,
        ):
            return
        after = version_boundary(trigger.next_scheduled_for, database_now())
        write_inactive_version(trigger_id=trigger.id, after=after)
        get_clock().unschedule_trigger(trigger.id)
        old = {"is_active": True, "disabled_reason": "", "version": trigger.version}
        with because(reason):
            record_update(Trigger, trigger.pk, old=old)
        record_events([announcement])
