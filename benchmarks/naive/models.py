from __future__ import annotations

from typing import ClassVar

from django.db import models


class Hook(models.Model):
    """One received request."""

    event_type = models.CharField(max_length=200, default="push", db_index=True)
    payload = models.JSONField()
    headers = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Hook]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.event_type} {self.pk}"


class HookTrigger(models.Model):
    """What happens for a hook of a type if the condition holds."""

    name = models.CharField(max_length=255)
    event_type = models.CharField(max_length=200, db_index=True)
    condition = models.JSONField(default=dict)
    is_active = models.BooleanField(default=True)
    execution_count = models.PositiveIntegerField(default=0)
    last_execution_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[HookTrigger]] = models.Manager()

    def __str__(self) -> str:
        return self.name


class HookExecution(models.Model):
    """One run of a trigger for a hook."""

    trigger = models.ForeignKey(HookTrigger, on_delete=models.CASCADE)
    hook = models.ForeignKey(Hook, on_delete=models.CASCADE)
    status = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[HookExecution]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.status} {self.pk}"


class HookTask(models.Model):
    """The task of an agent."""

    execution = models.OneToOneField(HookExecution, on_delete=models.CASCADE)
    parameters = models.JSONField()
    status = models.CharField(max_length=20, default="submitted")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[HookTask]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.status} {self.pk}"
