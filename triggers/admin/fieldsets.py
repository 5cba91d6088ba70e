"""How the fields of a trigger's page are grouped; each kind shows its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from triggers.forms import (
    BASICS,
    CONDITIONS,
    LIMITS,
    NEW_WEBHOOK,
    PAUSE,
    SCHEDULE,
    TASK,
)
from triggers.models import Trigger, TriggerType

READONLY_FIELDS = (
    "status", "disabled_reason", "next_run_time", "executions", "outcomes", "failures",
    "versions", "endpoint_link", "url", "curl", "id", "version", "created_at",
    "created_by", "updated_at",
)  # fmt: skip

_REST = (
    ("Conditions", {"fields": CONDITIONS}),
    ("The agent's task", {"fields": TASK}),
    ("Limits", {"fields": LIMITS}),
    ("Pause", {"fields": PAUSE}),
)

NEW_FIELDSETS = (
    (None, {"fields": (*BASICS, "is_active")}),
    (
        "What starts it",
        {"fields": (*SCHEDULE, "event_types", *NEW_WEBHOOK, "subject")},
    ),
    *_REST,
)

_OF_KIND: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        TriggerType.CRON: (("Schedule", {"fields": (*SCHEDULE, "versions")}),),
        TriggerType.EVENT: (("Events", {"fields": ("event_types", "subject")}),),
        TriggerType.WEBHOOK: (
            ("Webhook", {"fields": ("url", "curl", "endpoint_link", "subject")}),
        ),
        TriggerType.MANUAL: (),
    }
)


def fieldsets_of(trigger: Trigger) -> tuple[Any, ...]:
    """Return what the page of a stored trigger shows."""
    state = ["status", "executions", "outcomes", "failures"]
    if trigger.disabled_reason:
        state.insert(1, "disabled_reason")
    if trigger.has_schedule:
        state.insert(1, "next_run_time")
    record = ("id", "version", "created_at", "created_by", "updated_at")
    return (
        ("State", {"fields": tuple(state)}),
        ("Trigger", {"fields": BASICS}),
        *_OF_KIND[trigger.trigger_type],
        *_REST,
        ("Record", {"fields": record}),
    )


def _shown_if() -> dict[str, str]:
    """Return, for each field of one kind, the script's test of the chosen type."""
    shown = dict.fromkeys(SCHEDULE, "trigger_type == 'cron'")
    is_cron = "trigger_type == 'cron' && schedule_type == 'cron'"
    is_other = "trigger_type == 'cron' && schedule_type && schedule_type != 'cron'"
    shown |= {"cron_expression": is_cron, "schedule_config": is_other}
    shown |= dict.fromkeys(NEW_WEBHOOK, "trigger_type == 'webhook'")
    shown["event_types"] = "trigger_type == 'event'"
    return shown


CONDITIONAL_FIELDS = _shown_if()
