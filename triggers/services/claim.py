"""Claims what is due: every clock ends here, and any number of them may.

One transaction takes due triggers from the partial index, skipping those another clock
has in hand, records one event per occurrence and moves each trigger on. A crash leaves
all of it or none; an occurrence recorded twice is one event, by its dedupe key.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from common.fields import dump_json
from common.text import clean_text
from events.models import EventSource
from events.services.record import NewEvent, record_events
from triggers.clocks.base import get_clock
from triggers.models import Catchup, Trigger
from triggers.schedules import Schedule
from triggers.services.occurrences import Claim, events_of
from triggers.services.scheduling import jitter_of, schedule_of
from triggers.services.versions import close_version

logger = logging.getLogger(__name__)

MAX_OCCURRENCES = 1000
GROWTH = 8

_MOVE = """
UPDATE triggers_trigger t SET next_scheduled_for = v.nominal, next_run_time = v.due,
    scheduled_runs = t.scheduled_runs + v.fired
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
    AS v(id, nominal, due, fired)
WHERE t.id = v.id
"""


def claim_due(*, now: datetime | None = None, limit: int = MAX_OCCURRENCES) -> int:
    """Record an event for each occurrence that is due; return how many came due.

    Those that were missed count, too. It stops at `limit`: call again while it returns
    that many. `now` is the database's clock unless told.
    """
    with transaction.atomic():
        now = now or _database_now()
        due = Trigger.objects.due(now).order_by("next_run_time")[:limit]
        rows = due.select_for_update(no_key=True, skip_locked=True)
        claims, budget = [], limit
        for trigger in rows:
            if budget <= 0:
                break
            claim = _claim(trigger, now, budget)
            if claim is not None:
                claims.append(claim)
                budget -= len(claim.fired) + len(claim.missed)
        record_events([event for claim in claims for event in events_of(claim)])
        _move(claims)
    return limit - budget


def record_due(trigger: Trigger, now: datetime) -> int:
    """Record what is due of one trigger that is about to change; return how many run.

    The caller holds its row and plans its next run.
    """
    due_at = trigger.next_run_time if trigger.is_active else None
    if due_at is None or due_at > now:
        return 0
    try:
        claim = _judge(trigger, schedule_of(trigger), now, MAX_OCCURRENCES)
    except Exception:
        logger.exception("Trigger %s has no runs that can be computed", trigger.id)
        return 0
    record_events(events_of(claim))
    return len(claim.fired)


def _claim(trigger: Trigger, now: datetime, budget: int) -> Claim | None:
    try:
        return _judge(trigger, schedule_of(trigger), now, budget)
    except Exception as error:
        logger.exception("Trigger %s has no next run that can be computed", trigger.id)
        _set_aside(trigger, error)
        return None


def _judge(trigger: Trigger, schedule: Schedule, now: datetime, budget: int) -> Claim:
    """Decide by the catch-up policy which due occurrences run."""
    until = now - jitter_of(trigger)
    first = trigger.next_scheduled_for or until
    due = _due(schedule, first, until)
    on_time_from = until - timedelta(seconds=trigger.misfire_grace_seconds)
    late = [at for at in due if at < on_time_from]
    caught_up = _catch_up(trigger, late, due[len(late) :], until)
    missed = late[: len(late) - len(caught_up)]
    run = [*caught_up, *due[len(late) :]]
    most = min(budget, _runs_left(trigger, budget))
    cut = run[most] if len(run) > most else schedule.next_after(until)
    return Claim(
        trigger=trigger,
        fired=run[:most],
        missed=missed,
        next_nominal=None if _is_last(trigger, len(run[:most])) else cut,
    )


def _due(schedule: Schedule, first: datetime, until: datetime) -> list[datetime]:
    """Return the due occurrences; of more than 1,000 the latest.

    Looked for in stretches before `until` that grow: a schedule that comes due every
    second may have waited for a month.
    """
    stretch = timedelta(seconds=MAX_OCCURRENCES)
    while until - first > stretch:
        start = schedule.next_after(until - stretch)
        due = _walk(schedule, start, until)
        if len(due) == MAX_OCCURRENCES:
            return due
        stretch *= GROWTH
    return _walk(schedule, first, until)


def _walk(schedule: Schedule, at: datetime | None, until: datetime) -> list[datetime]:
    latest: deque[datetime] = deque(maxlen=MAX_OCCURRENCES)
    while at is not None and at <= until:
        latest.append(at)
        at = schedule.next_after(at)
    return list(latest)


def _catch_up(
    trigger: Trigger,
    late: Sequence[datetime],
    on_time: Sequence[datetime],
    until: datetime,
) -> list[datetime]:
    window = until - timedelta(seconds=trigger.catchup_window_seconds)
    match trigger.catchup:
        case Catchup.ALL:
            return [at for at in late if at >= window]
        case Catchup.LATEST if late and not on_time and late[-1] >= window:
            return [late[-1]]
    return []


def _runs_left(trigger: Trigger, most: int) -> int:
    if trigger.max_runs is None:
        return most
    return max(0, trigger.max_runs - trigger.scheduled_runs)


def _is_last(trigger: Trigger, fired: int) -> bool:
    if trigger.max_runs is None:
        return False
    return trigger.scheduled_runs + fired >= trigger.max_runs


def _move(claims: Sequence[Claim]) -> None:
    rows = [
        (
            claim.trigger.id,
            claim.next_nominal,
            claim.next_nominal and claim.next_nominal + jitter_of(claim.trigger),
            len(claim.fired),
        )
        for claim in claims
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_MOVE, [list(column) for column in zip(*rows, strict=True)])


def _set_aside(trigger: Trigger, error: Exception) -> None:
    """Disable a trigger whose schedule can't be read; the others go on."""
    Trigger.objects.filter(pk=trigger.pk).update(
        is_active=False,
        active_since=None,
        next_run_time=None,
        next_scheduled_for=None,
        version=trigger.version + 1,
        disabled_reason=clean_text(
            f"its next run can't be computed: {error}", limit=255
        ),
    )
    close_version(trigger_id=trigger.id)
    get_clock().unschedule_trigger(trigger.id)
    body = {"trigger_id": str(trigger.id), "name": trigger.name, "error": str(error)}
    record_events(
        [
            NewEvent(
                type="trigger.set_aside",
                source=EventSource.INTERNAL,
                body=dump_json(body).encode(),
            )
        ]
    )


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
