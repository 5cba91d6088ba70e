from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from triggers.clocks.base import TriggerScheduler
from triggers.clocks.mirror import beat_schedule
from triggers.models import Trigger

CLAIM_DUE = "triggers.tasks.claim_due"
HEARTBEAT_NAME = "tickhook-claim-due"
SWEEP_NAME = "tickhook-sweep"
MIRROR_PREFIX = "cron-trigger-"
STALLED_AFTER = timedelta(seconds=30)


class BeatScheduler(TriggerScheduler):
    """Celery beat: a PeriodicTask a second guarantees, a mirror per trigger is prompt.

    The mirrors are what people see where they look at Celery's schedules.
    """

    def schedule_trigger(self, trigger: Trigger) -> None:
        self._write(trigger)
        self._tell()

    def update_schedule(self, trigger: Trigger) -> None:
        self.schedule_trigger(trigger)

    def unschedule_trigger(self, trigger_id: UUID) -> None:
        mirrors = PeriodicTask.objects.filter(name=mirror_name(trigger_id))
        mirrors.update(enabled=False)
        # After the commit: the signal of a deletion locks one global row. By then the
        # trigger may have been scheduled again.
        transaction.on_commit(mirrors.filter(enabled=False).delete)

    def get_trigger_status(self, trigger_id: UUID) -> dict[str, object]:
        mirror = PeriodicTask.objects.filter(name=mirror_name(trigger_id)).first()
        if mirror is None or not mirror.enabled:
            return {"status": "not_running"}
        trigger = Trigger.objects.only("next_run_time").get(pk=trigger_id)
        return {
            "status": "running",
            "next_run_time": trigger.next_run_time,
            "last_run_at": mirror.last_run_at,
            "total_run_count": mirror.total_run_count,
        }

    def is_healthy(self) -> bool:
        ticks = PeriodicTask.objects.filter(
            name=HEARTBEAT_NAME, last_run_at__gte=timezone.now() - STALLED_AFTER
        )
        return bool(ticks.exists())

    def shutdown(self) -> None:
        """Nothing of beat runs in this process."""

    def _write(self, trigger: Trigger) -> None:
        columns = {
            **beat_schedule(trigger),
            "task": CLAIM_DUE,
            "queue": "clock",
            "enabled": trigger.can_run and trigger.next_run_time is not None,
            "expire_seconds": 5,
            "description": f"Mirror of trigger {trigger.name!r}; edit that instead",
        }
        name = mirror_name(trigger.id)
        if not PeriodicTask.objects.filter(name=name).update(**columns):
            PeriodicTask.objects.bulk_create([PeriodicTask(name=name, **columns)])

    def _tell(self) -> None:
        """Let the stock scheduler read its table again, after the commit."""
        transaction.on_commit(PeriodicTasks.update_changed)


def mirror_name(trigger_id: UUID) -> str:
    return f"{MIRROR_PREFIX}{trigger_id}"
