"""The admin of triggers, their history, and the tables of Celery beat."""

from __future__ import annotations

from triggers.admin import history, periodic_tasks, webhooks
from triggers.admin.trigger import TriggerAdmin

__all__ = ["TriggerAdmin", "history", "periodic_tasks", "webhooks"]
