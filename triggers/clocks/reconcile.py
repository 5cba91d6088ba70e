"""Holds the mirrors against the triggers, and rebuilds those that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask

from triggers.clock import get_clock
from triggers.clocks.mirror import (
    AFTER_MIRRORS,
    CLAIM_DUE,
    MIRROR_PREFIX,
    mirror_name,
    nearest_to,
    read_nearest,
)
from triggers.models import Trigger, TriggerType

CHUNK = 1000

_ORPHANS = """
FROM django_celery_beat_periodictask p WHERE p.name ~>=~ %s AND p.name ~<~ %s
AND NOT EXISTS (
    SELECT 1 FROM triggers_trigger t WHERE p.name = 'cron-trigger-' || t.id::text
    AND t.trigger_type = 'cron' AND t.deleted_at IS NULL
)
"""


@dataclass(slots=True, kw_only=True)
class Difference:
    """How many mirrors are missing, wrong, or of a trigger that is gone."""

    schedules: int = 0
    missing: int = 0
    wrong: int = 0
    orphaned: int = 0

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.wrong or self.orphaned)


def reconcile(*, is_check: bool = False) -> Difference:
    """Make the mirrors those of the triggers; with `is_check`, only say what differs.

    Safe beside edits: each mirror is written again under its trigger's lock.
    """
    found = Difference()
    for triggers in _chunks():
        mirrors = _mirrors_of(triggers)
        found.schedules += len(triggers)
        for trigger in triggers:
            mirror = mirrors.get(mirror_name(trigger.id))
            if _is_true(mirror, trigger):
                continue
            found.missing += mirror is None
            found.wrong += mirror is not None
            if not is_check:
                _write_again(trigger.id)
    found.orphaned = _drop_orphans(is_check=is_check)
    return found


def _chunks() -> Iterator[list[Trigger]]:
    """Yield all triggers that should have a mirror, a thousand at a time."""
    rows = Trigger.objects.present().filter(trigger_type=TriggerType.CRON)
    last: UUID | None = None
    while chunk := list(_after(rows, last).order_by("pk")[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _after(rows: Any, last: UUID | None) -> Any:
    return rows if last is None else rows.filter(pk__gt=last)


def _mirrors_of(triggers: Sequence[Trigger]) -> dict[str, Any]:
    names = [mirror_name(trigger.id) for trigger in triggers]
    mirrors = PeriodicTask.objects.filter(name__in=names)
    return {m.name: m for m in mirrors.select_related("crontab", "interval")}


def _is_true(mirror: Any, trigger: Trigger) -> bool:
    """Whether a mirror, or there being none, is what its trigger asks for."""
    if mirror is None:
        return not trigger.can_run
    is_enabled = trigger.can_run and trigger.next_run_time is not None
    return (
        mirror.enabled == is_enabled
        and mirror.task == CLAIM_DUE
        and read_nearest(mirror) == nearest_to(trigger)
    )


def _write_again(trigger_id: UUID) -> None:
    with transaction.atomic():
        held = Trigger.objects.select_for_update(no_key=True).present()
        if trigger := held.filter(pk=trigger_id).first():
            get_clock().update_schedule(trigger)


def _drop_orphans(*, is_check: bool) -> int:
    """Delete mirrors whose trigger is gone or has no schedule; return how many."""
    act = "SELECT count(*)" if is_check else "DELETE"
    with connection.cursor() as cursor:
        cursor.execute(f"{act} {_ORPHANS}", [MIRROR_PREFIX, AFTER_MIRRORS])
        return int(cursor.fetchone()[0]) if is_check else cursor.rowcount
