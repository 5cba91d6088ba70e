from __future__ import annotations

from triggers.models.schedule_version import ScheduleVersion
from triggers.models.stats import StatsDelta, TriggerStats
from triggers.models.subscription import Subscription
from triggers.models.trigger import (
    Catchup,
    ConditionErrorPolicy,
    DstGap,
    DstOverlap,
    Overlap,
    ScheduleType,
    Trigger,
    TriggerType,
)

__all__ = [
    "Catchup",
    "ConditionErrorPolicy",
    "DstGap",
    "DstOverlap",
    "Overlap",
    "ScheduleType",
    "ScheduleVersion",
    "StatsDelta",
    "Subscription",
    "Trigger",
    "TriggerStats",
    "TriggerType",
]
