"""Triggers and their history; Celery beat's own tables beside them."""

from __future__ import annotations

from triggers.admin import deliveries, endpoints, history, periodic_tasks
from triggers.admin.trigger import TriggerAdmin

__all__ = ["TriggerAdmin", "deliveries", "endpoints", "history", "periodic_tasks"]
