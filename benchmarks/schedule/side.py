from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from django.db import connection
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from benchmarks.reset import broker, queue_length, reset_all
from benchmarks.schedule.entries import QUEUE, Due
from triggers.clocks.mirror import HEARTBEAT_NAME, SWEEP_NAME
from triggers.models import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Seconds from the instant of an occurrence to its event."""

    p50: float
    p99: float


class Side(ABC):
    """One scheduler class of Celery beat, its entries, and how to count those fired."""

    name: ClassVar[str]
    scheduler: ClassVar[str]

    @abstractmethod
    def fill(self, count: int) -> None:
        """Create `count` hourly entries, none due soon, and delete all others."""

    @abstractmethod
    def make_due(self, due: Due) -> None:
        """Change entries directly in the store; call it only while no beat runs."""

    @abstractmethod
    def edit(self, number: int) -> None:
        """Edit one entry by the API of its users, so that it comes due at once."""

    def fired(self) -> int:
        """Return how often entries have fired since `reset_fired`."""
        return queue_length(QUEUE)

    def reset_fired(self) -> None:
        with broker() as client:
            client.delete(QUEUE)

    def lateness(self) -> Lateness | None:
        """Return how late entries fired; None if the messages do not contain it."""
        return None


def delete_entries() -> None:
    """Delete the entries of all sides and their data."""
    reset_all()
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
