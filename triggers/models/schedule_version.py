from __future__ import annotations

from django.db import models
from django.db.models import Q

from common.ids import uuid7
from triggers.models.trigger import Trigger


class ScheduleVersion(models.Model):
    """What a trigger's schedule was from `valid_from` to `valid_to` (null: still is).

    Written with every change, enable, disable and pause, so that what should have run
    can be computed for any past range. It has the occurrences whose nominal instants
    are later than `valid_from` and not later than `valid_to`. `scheduled_runs` is how
    often the trigger had run when it began, `last_scheduled_for` the last instant that
    had run when it ended; null where that was not kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trigger = models.ForeignKey(
        Trigger, on_delete=models.CASCADE, related_name="schedule_versions"
    )
    is_active = models.BooleanField()
    definition = models.JSONField()
    scheduled_runs = models.PositiveBigIntegerField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    last_scheduled_for = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-valid_from",)
        constraints = (
            models.UniqueConstraint(
                fields=("trigger",),
                condition=Q(valid_to__isnull=True),
                name="schedule_version_one_current",
            ),
        )

    def __str__(self) -> str:
        return f"{self.trigger_id} from {self.valid_from:%Y-%m-%d %H:%M}"
