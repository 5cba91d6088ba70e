"""The admin of Celery beat's tables; Tickhook's own rows there are read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from access.admin.base import BaseAdmin
from triggers.clocks.mirror import HEARTBEAT_NAME, MIRROR_PREFIX, SWEEP_NAME
from triggers.models import Trigger

# The last two are rows of packages that this one does not import.
OWN_NAMES = (HEARTBEAT_NAME, SWEEP_NAME, "tickhook-purge-history", "tickhook-errands")

SCHEDULES = (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)

for model in (PeriodicTask, *SCHEDULES):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, BaseAdmin[Any]):  # type: ignore[misc]  # is untyped
    id_search_fields = ()
    # django-celery-beat's template has an inline script, which the site's CSP forbids.
    change_form_template = "admin/tickhook/periodic_task_form.html"
    date_hierarchy = None

    def title_of(self, row: Any) -> str:
        """Return the name of a task; that of a trigger's copy contains an id."""
        name: str = row.name
        if not name.startswith(MIRROR_PREFIX):
            return name
        trigger_id = name.removeprefix(MIRROR_PREFIX)
        trigger = Trigger.objects.filter(pk=trigger_id).first()
        return f"Schedule of {trigger}" if trigger else "Schedule of a trigger"

    def has_change_permission(
        self, request: HttpRequest, obj: PeriodicTask | None = None
    ) -> bool:
        return not _is_own(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: PeriodicTask | None = None
    ) -> bool:
        return not _is_own(obj) and super().has_delete_permission(request, obj)

    def response_action(  # type: ignore[override]  # the stubs know a later Django
        self, request: HttpRequest, queryset: QuerySet[PeriodicTask]
    ) -> HttpResponse | None:
        """Exclude Tickhook's own rows from actions."""
        own = Q(name__startswith=MIRROR_PREFIX) | Q(name__in=OWN_NAMES)
        return super().response_action(request, queryset.exclude(own))


@admin.register(*SCHEDULES)
class ScheduleAdmin(BaseAdmin[Any]):
    id_search_fields = ()


def _is_own(task: PeriodicTask | None) -> bool:
    if task is None:
        return False
    name: str = task.name
    return name in OWN_NAMES or name.startswith(MIRROR_PREFIX)
