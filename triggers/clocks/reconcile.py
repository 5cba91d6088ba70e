"""Compares the mirrors with the triggers, and rebuilds those that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    """The number of mirrors that are missing, wrong, or without a trigger."""

    schedules: int = 0
    missing: int = 0
    wrong: int = 0
    orphaned: int = 0

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.wrong or self.orphaned)


def reconcile(*, is_check: bool = False) -> Difference:
    """Rebuild the mirrors that differ; with `is_check`, only count them.

    Triggers can be edited meanwhile: each mirror is written under its trigger's lock.
    """
    found = Difference()
    for triggers in _chunks():
        names = [mirror_name(trigger.id) for trigger in triggers]
        rows = PeriodicTask.objects.filter(name__in=names)
        rows = rows.select_related("crontab", "interval")
        mirrors: dict[str, Any] = {mirror.name: mirror for mirror in rows}
        found.schedules += len(triggers)
        for trigger in triggers:
            mirror = mirrors.get(mirror_name(trigger.id))
            if _is_correct(mirror, trigger):
                continue
            found.missing += mirror is None
            found.wrong += mirror is not None
            if is_check:
                continue
            with transaction.atomic():
                held = Trigger.objects.select_for_update(no_key=True).present()
                if current := held.filter(pk=trigger.pk).first():
                    get_clock().update_schedule(current)
    act = "SELECT count(*)" if is_check else "DELETE"
    with connection.cursor() as cursor:
        cursor.execute(f"{act} {_ORPHANS}", [MIRROR_PREFIX, AFTER_MIRRORS])
        found.orphaned = int(cursor.fetchone()[0]) if is_check else cursor.rowcount
    return found


def _chunks() -> Iterator[list[Trigger]]:
    """Yield all triggers with a schedule, a thousand at a time."""
    triggers = Trigger.objects.present().filter(trigger_type=TriggerType.CRON)
    rest = triggers.order_by("pk")
    while chunk := list(rest[:CHUNK]):
        yield chunk
        rest = triggers.filter(pk__gt=chunk[-1].pk).order_by("pk")


def _is_correct(mirror: Any, trigger: Trigger) -> bool:
    """Return whether the mirror, or its absence, agrees with the trigger."""
    if mirror is None:
        return not trigger.can_run
    is_enabled = trigger.can_run and trigger.next_run_time is not None
    return (
        mirror.enabled == is_enabled
        and mirror.task == CLAIM_DUE
        and read_nearest(mirror) == nearest_to(trigger)
    )
