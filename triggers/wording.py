"""What pages call the kinds, states and policies of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from access.ownership import GRACE
from common import wording
from common.wording import Status
from triggers.models import (
    Catchup,
    ConditionErrorPolicy,
    DstGap,
    DstOverlap,
    Overlap,
    OwnerReason,
    ScheduleType,
    TriggerType,
)


class State(StrEnum):
    """The states of a trigger that its list can filter by."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    AUTO_DISABLED = "auto-disabled"
    OWNER_LOST = "owner-lost"
    DELETED = "deleted"


STATES: Mapping[str, Status] = MappingProxyType(
    {
        State.ACTIVE: wording.ON,
        State.PAUSED: Status("paused", "⏸", "amber"),
        State.DISABLED: wording.OFF,
        State.AUTO_DISABLED: Status("switched itself off", "✕", "red"),
        State.OWNER_LOST: Status("off, lost its owner", "✕", "red"),
        State.DELETED: Status("deleted", "✕", "outline"),
    }
)

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "is_active": "On",
        "trigger_type": "Started by",
        "schedule_type": "When it runs",
        "schedule_config": "Details of the schedule",
        "timezone": "Time zone",
        "start_at": "Start",
        "end_at": "End",
        "max_runs": "At most this many runs",
        "jitter_seconds": "Spread the start over",
        "dst_gap": "When clocks go forward",
        "dst_overlap": "When clocks go back",
        "catchup": "If it could not run on time",
        "catchup_window_seconds": "Catch up within",
        "misfire_grace_seconds": "Still on time up to this late",
        "on_condition_error": "If the conditions cannot be evaluated",
        "task_parameters": "Fixed parameters",
        "parameter_mapping": "Parameters from the event",
        "overlap": "If the run before it is still going",
        "timeout_seconds": "Give up after",
        "max_executions_per_hour": "At most this many runs per hour",
        "failure_threshold": "Switch off after this many failures in a row",
        "count_task_failures": "Count failed tasks as failures",
        "pause_note": "Why it is paused",
        "disabled_reason": "Why it is off",
        "next_run_time": "Next run",
        "endpoint": "Webhook",
    }
)

OWNER_REASONS: Mapping[str, str] = MappingProxyType(
    {
        OwnerReason.LOST_ACCESS: (
            "Its owner may not use the agent any more. Set an owner who may, then turn "
            "it on."
        ),
        OwnerReason.GONE: (
            f"It had no active owner for {GRACE.days} days. Set another owner, then "
            "turn it on."
        ),
    }
)

TRIGGER_TYPES: Mapping[str, str] = MappingProxyType(
    {
        TriggerType.CRON: "on a schedule",
        TriggerType.WEBHOOK: "webhook",
        TriggerType.EVENT: "event",
        TriggerType.MANUAL: "only by hand",
    }
)

SCHEDULE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ScheduleType.CRON: "a cron expression",
        ScheduleType.INTERVAL: "at an interval",
        ScheduleType.DAILY: "every day",
        ScheduleType.WEEKLY: "every week",
        ScheduleType.ONCE: "once",
    }
)

CONDITION_ERROR_POLICIES: Mapping[str, str] = MappingProxyType(
    {
        ConditionErrorPolicy.FAIL: "the run fails",
        ConditionErrorPolicy.SKIP: "the run is skipped",
        ConditionErrorPolicy.MATCH: "it counts as met",
    }
)

DST_GAPS: Mapping[str, str] = MappingProxyType(
    {
        DstGap.AFTER: "run right after the missing hour",
        DstGap.SKIP: "do not run that day",
    }
)

DST_OVERLAPS: Mapping[str, str] = MappingProxyType(
    {
        DstOverlap.FIRST: "run the first time",
        DstOverlap.SECOND: "run the second time",
        DstOverlap.BOTH: "run both times",
    }
)

CATCHUPS: Mapping[str, str] = MappingProxyType(
    {
        Catchup.NONE: "run none of them",
        Catchup.LATEST: "run the latest one",
        Catchup.ALL: "run all of them",
    }
)

OVERLAPS: Mapping[str, str] = MappingProxyType(
    {
        Overlap.ALLOW: "run at the same time",
        Overlap.SKIP: "skip the new run",
        Overlap.BUFFER_ONE: "wait; keep one waiting run",
        Overlap.BUFFER_ALL: "wait; keep every waiting run",
        Overlap.CANCEL_PREVIOUS: "cancel the run that is going",
    }
)
