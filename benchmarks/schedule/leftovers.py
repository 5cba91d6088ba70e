from __future__ import annotations

from django.db import connection
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from benchmarks.leftovers import broker, forget_everything
from triggers.clocks.mirror import HEARTBEAT_NAME, SWEEP_NAME
from triggers.models import Trigger


def forget_entries() -> None:
    """Delete the entries of all sides and whatever they left."""
    forget_everything()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {Trigger._meta.db_table} CASCADE")
        cursor.execute(
            "DELETE FROM django_celery_beat_periodictask WHERE name NOT IN (%s, %s)",
            [HEARTBEAT_NAME, SWEEP_NAME],
        )
    CrontabSchedule.objects.filter(periodictask=None).delete()
    PeriodicTask.objects.update(enabled=True)
    with broker() as client:
        client.flushdb()
