"""The admin of triggers, their history and owners, and the tables of Celery beat."""

from __future__ import annotations

from triggers.admin import handover, history, periodic_tasks, webhooks
from triggers.admin.trigger import TriggerAdmin

__all__ = ["TriggerAdmin", "handover", "history", "periodic_tasks", "webhooks"]
