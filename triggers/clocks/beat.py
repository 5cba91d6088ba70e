from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from triggers.clock import TriggerScheduler
from triggers.clocks.mirror import HEARTBEAT_NAME, mirror_columns, mirror_name
from triggers.clocks.scheduler import TickhookScheduler
from triggers.clocks.wake import wake_clocks
from triggers.models import Trigger

STALLED_AFTER = timedelta(seconds=30)

_COPY = """
UPDATE django_celery_beat_periodictask p SET total_run_count = t.scheduled_runs,
    last_run_at = greatest(p.last_run_at, s.last_execution_at),
    enabled = t.is_active AND t.deleted_at IS NULL AND t.next_run_time IS NOT NULL
FROM triggers_trigger t JOIN triggers_triggerstats s ON s.trigger_id = t.id
WHERE t.id = ANY(%s) AND t.trigger_type = 'cron'
AND p.name = 'cron-trigger-' || t.id::text
"""

# SQL sends no Django signals: theirs would lock one global row until the commit.
_DELETE = "DELETE FROM django_celery_beat_periodictask WHERE name = %s"


class BeatScheduler(TriggerScheduler):
    """Celery beat, with the shipped scheduler class or with Celery's own.

    Each trigger has a mirror, a PeriodicTask, so that people see it among Celery's
    schedules. The shipped class claims triggers itself and can be woken. Celery's own
    sends the Celery task `claim_due` when a mirror is due, which makes runs prompt, and
    every second, which guarantees them.
    """

    def schedule_trigger(self, trigger: Trigger) -> None:
        columns = mirror_columns(trigger)
        name = mirror_name(trigger.id)
        if not PeriodicTask.objects.filter(name=name).update(**columns):
            PeriodicTask.objects.bulk_create([PeriodicTask(name=name, **columns)])
            self.take_over_runs([trigger.id])
        self._notify_stock_beat()
        if trigger.next_run_time is not None:
            wake_clocks(trigger.next_run_time)

    def update_schedule(self, trigger: Trigger) -> None:
        self.schedule_trigger(trigger)

    def unschedule_trigger(self, trigger_id: UUID) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE, [mirror_name(trigger_id)])
        self._notify_stock_beat()

    def get_trigger_status(self, trigger_id: UUID) -> dict[str, object]:
        mirror = PeriodicTask.objects.filter(name=mirror_name(trigger_id)).first()
        triggers = Trigger.objects.filter(pk=trigger_id)
        due = triggers.values_list("next_run_time", flat=True).first()
        if mirror is None or not mirror.enabled or due is None:
            return {"status": "not_running"}
        return {
            "status": "running",
            "next_run_time": due,
            "last_run_at": mirror.last_run_at,
            "total_run_count": mirror.total_run_count,
        }

    def take_over_runs(self, trigger_ids: Sequence[UUID]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_COPY, [list(trigger_ids)])

    def is_healthy(self) -> bool:
        ticks = PeriodicTask.objects.filter(
            name=HEARTBEAT_NAME, last_run_at__gte=timezone.now() - STALLED_AFTER
        )
        return bool(ticks.exists())

    def shutdown(self) -> None:
        """Beat runs in a process of its own: there is nothing to stop."""

    def _notify_stock_beat(self) -> None:
        """Make Celery's own scheduler read its table again.

        After the commit, because all such updates write one global row.
        """
        scheduler = import_string(settings.CELERY_BEAT_SCHEDULER.replace(":", "."))
        if not issubclass(scheduler, TickhookScheduler):
            transaction.on_commit(PeriodicTasks.update_changed)
