"""Claims what is due: every clock ends here, and any number of them may.

One transaction takes due triggers from the partial index, skipping those another clock
has in hand, records one event per occurrence and moves each trigger on. A crash leaves
all of it or none; an occurrence recorded twice is one event, by its dedupe key.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from common.clock import database_now
from common.fields import dump_json
from common.text import clean_text
from events.models import EventSource
from events.services.record import NewEvent, record_events
from triggers.clocks.base import get_clock
from triggers.models import Trigger
from triggers.services.catchup import MAX_OCCURRENCES, judge
from triggers.services.occurrences import Claim, events_of
from triggers.services.scheduling import jitter_of, schedule_of
from triggers.services.versions import close_version

logger = logging.getLogger(__name__)

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
    that many or more. `now` is the database's clock unless told.
    """
    with transaction.atomic():
        now = now or database_now()
        due = Trigger.objects.due(now).order_by("next_run_time")[:limit]
        rows = due.select_for_update(no_key=True, skip_locked=True)
        claims, budget = [], limit
        for trigger in rows:
            if budget <= 0:
                break
            claim = _claim(trigger, now, budget)
            if claim is not None:
                claims.append(claim)
                budget -= claim.size
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
    claim = _judge_known(trigger, now, due_at)
    record_events(events_of(claim))
    return len(claim.fired)


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
