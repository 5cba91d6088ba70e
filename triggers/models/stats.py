from __future__ import annotations

from django.db import models

from triggers.models.trigger import Trigger


class TriggerStats(models.Model):
    """A trigger's numbers, apart from its row so that no hot path updates that.

    The counts are folded from `StatsDelta` every two seconds; only
    `consecutive_failures` is touched at once.
    """

    trigger = models.OneToOneField(
        Trigger, on_delete=models.CASCADE, primary_key=True, related_name="stats"
    )
    total_executions = models.PositiveBigIntegerField(default=0)
    successful_executions = models.PositiveBigIntegerField(default=0)
    failed_executions = models.PositiveBigIntegerField(default=0)
    skipped_executions = models.PositiveBigIntegerField(default=0)
    execution_time_ms_sum = models.PositiveBigIntegerField(default=0)
    last_execution_at = models.DateTimeField(null=True)
    consecutive_failures = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "trigger stats"

    def __str__(self) -> str:
        return str(self.trigger_id)


class StatsDelta(models.Model):
    """What one batch adds to a trigger's numbers, until the sweep folds it in."""

    trigger_id = models.UUIDField()
    total = models.PositiveIntegerField(default=0)
    successful = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    execution_time_ms_sum = models.PositiveBigIntegerField(default=0)
    last_execution_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.trigger_id} +{self.total}"
