"""Executions, and the pages of lower apps that show them or start one."""

from __future__ import annotations

from executions.admin.event import EventWithExecutionsAdmin
from executions.admin.execution import DrainLeaseAdmin, TriggerExecutionAdmin
from executions.admin.trigger import RunnableTriggerAdmin

__all__ = [
    "DrainLeaseAdmin",
    "EventWithExecutionsAdmin",
    "RunnableTriggerAdmin",
    "TriggerExecutionAdmin",
]
