from __future__ import annotations

from django.db import models

from triggers.models.trigger import Trigger


class Subscription(models.Model):
    """A pattern of event types that a trigger listens to: exact, `a.*`, or `*`.

    An event asks for its few possible patterns, so the cost of matching follows what
    matched. An empty subject hears every tenant.
    """

    trigger = models.ForeignKey(
        Trigger, on_delete=models.CASCADE, related_name="subscriptions"
    )
    pattern = models.CharField(max_length=200)
    subject = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("pattern", "subject", "trigger"), name="subscription_unique"
            ),
        )

    def __str__(self) -> str:
        return self.pattern
