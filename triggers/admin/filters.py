from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from triggers.models import Trigger


class StateFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """By what a trigger does now; the deleted ones only if asked for."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ("active", "paused", "disabled", "auto-disabled", "deleted")
        return [(name, name) for name in names]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Trigger]
    ) -> QuerySet[Trigger]:
        auto = {"disabled_reason__startswith": "auto-disabled"}
        paused = {"paused_until__gt": timezone.now()}
        present = queryset.filter(deleted_at=None)
        match self.value():
            case "active":
                return present.filter(is_active=True).exclude(**paused)
            case "paused":
                return present.filter(is_active=True, **paused)
            case "disabled":
                return present.filter(is_active=False).exclude(**auto)
            case "auto-disabled":
                return present.filter(is_active=False, **auto)
            case "deleted":
                return queryset.exclude(deleted_at=None)
        return present
