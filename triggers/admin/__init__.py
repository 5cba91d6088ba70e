"""Triggers and their history; Celery beat's own tables beside them."""

from __future__ import annotations

from triggers.admin import history, periodic_tasks, webhooks
from triggers.admin.trigger import TriggerAdmin

__all__ = ["TriggerAdmin", "deliveries", "endpoints", "history", "periodic_tasks"]
