"""Claims what is due: every clock ends here, and any number of them may.

Due triggers are read from the partial index and judged without a lock in hand. Then one
statement moves each on, if it still stands where it was read, and records an event per
occurrence. So a crash leaves all of it or none, an occurrence is one event whoever
claims it, and a clock that is stopped in the middle holds nobody up. Of many that are
due each gets its share of a claim, so one that catches up keeps none waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

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
from triggers.clocks.base import get_clock
from triggers.models import Trigger
from triggers.services.catchup import MAX_OCCURRENCES, judge
from triggers.services.due import DueFloor, find_due, seconds_until_due
from triggers.services.occurrences import Claim, events_of
from triggers.services.scheduling import jitter_of, schedule_of
from triggers.services.versions import settled_up_to, switch_off_version

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

    Those that were missed count, too; those that another clock claimed don't. It stops
    at `limit`: call again while it returns any. `now` is the database's clock by
    default. What has been due since before `since` is left out.
    """
    now = now or database_now()
    due = find_due(now, limit=limit, since=since)
    share = max(1, limit // len(due)) if due else 0
    claims, budget = [], limit
    # What came due last goes first: counting what others missed may take all the rest.
    for trigger in reversed(due):
        if budget <= 0:
            break
        claim = _claim(trigger, now, min(share, budget))
        if claim is not None:
            claims.append(claim)
            budget -= claim.cost
    moved = _settle(claims) if claims else set()
    return sum(claim.size for claim in claims if claim.trigger.id in moved)


def claim_while_due(
    go_on: Callable[[], bool], floor: DueFloor | None = None
) -> float | None:
    """Claim as long as something is due; return in how many seconds the next is.

    Not above 0 if other clocks hold what is due, or if `go_on` returned False; None if
    no trigger has a next run. The caller keeps the floor from call to call.
    """
    floor = floor or DueFloor()
    wait = seconds_until_due(floor)
    while wait is not None and wait <= 0 and go_on():
        if not claim_due(since=floor.instant):
            break
        wait = seconds_until_due(floor)
    return wait


def record_due(trigger: Trigger, now: datetime) -> Claim | None:
    """Record what is due of one trigger that is about to change; return what was.

    The caller holds its row and plans its next run.
    """
    due_at = trigger.next_run_time if trigger.is_active else None
    if due_at is None or due_at > now:
        return None
    claim = _judge_known(trigger, now, due_at)
    record_events(events_of(claim))
    return claim


def _judge_known(trigger: Trigger, now: datetime, due_at: datetime) -> Claim:
    """Judge what is due; where its schedule fails, the stored instant still runs."""
    try:
        return judge(trigger, schedule_of(trigger), now, MAX_OCCURRENCES)
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        logger.exception("Trigger %s has no runs that can be computed", trigger.id)
        known = trigger.next_scheduled_for or due_at
        return Claim(trigger=trigger, fired=[known], missed=None, next_nominal=None)


def _claim(trigger: Trigger, now: datetime, budget: int) -> Claim | None:
    try:
        return judge(trigger, schedule_of(trigger), now, budget)
    except SoftTimeLimitExceeded:  # says nothing of this trigger
        raise
    except Exception as error:
        logger.exception("Trigger %s has no next run that can be computed", trigger.id)
        _set_aside(trigger, error)
        return None


def _settle(claims: Sequence[Claim]) -> set[UUID]:
    """Move triggers on and record their events; return the ids of those moved."""
    steps = [list(column) for column in zip(*map(_step, claims), strict=True)]
    events = [event for claim in claims for event in events_of(claim)]
    recording = recording_sql(only="v.trigger_id IN (SELECT id FROM moved)")
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {_MOVED}, {recording} SELECT id FROM moved",  # noqa: S608 - our own
            [*steps, *event_columns(events)],
        )
        moved = {row[0] for row in cursor.fetchall()}
    if moved:
        announce_events()
    return moved


def _step(claim: Claim) -> tuple[object, ...]:
    """Return where a trigger was read, and where it goes."""
    trigger, nominal = claim.trigger, claim.next_nominal
    due = nominal + jitter_of(trigger) if nominal else None
    place = (trigger.id, trigger.next_run_time, trigger.version)
    last_fired = claim.fired[-1] if claim.fired else None
    return (*place, nominal, due, len(claim.fired), last_fired)


def _set_aside(trigger: Trigger, error: Exception) -> None:
    """Disable a trigger whose schedule can't be read; the others go on.

    Of many clocks that see it, one does; a trigger that was changed meanwhile is left.
    """
    body = {"trigger_id": str(trigger.id), "name": trigger.name, "error": str(error)}
    announcement = NewEvent(
        type="trigger.set_aside",
        source=EventSource.INTERNAL,
        body=dump_json(body).encode(),
    )
    reason = f"its next run can't be computed: {error}"
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
            disabled_reason=clean_text(reason, limit=255),
        ):
            return
        after = settled_up_to(trigger.next_scheduled_for, database_now())
        switch_off_version(trigger_id=trigger.id, after=after)
        get_clock().unschedule_trigger(trigger.id)
        record_events([announcement])
