"""Families of event types: what a name begins with, as `invoice` in `invoice.paid`."""

from __future__ import annotations

from django.db.models import Q

from events.models import EventType

# What the house itself tells: `trigger.auto_disabled`, `task.failed`.
INTERNAL_FAMILIES = ("execution", "schedule", "task", "trigger")


def is_own_family(name: str) -> bool:
    """Whether events of the house or of its catalogue have this family.

    A sender must not have it: triggers that hear `invoice.*` would hear strangers.
    """
    if name in INTERNAL_FAMILIES:
        return True
    named = Q(name__iexact=name) | Q(name__istartswith=f"{name}.")
    return EventType.objects.filter(named).exists()
