"""The admin of the results that Celery stores, if it is set up to store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django_celery_results import admin as results
from django_celery_results.models import GroupResult, TaskResult

from common.admin.base import BaseAdmin
from common.admin.columns import Words, WordsFilter
from common.wording import (
    CANCELLED,
    FAILED,
    GOING,
    SUCCEEDED,
    WAITING,
    Status,
    time_text,
)

STATES = {
    "PENDING": WAITING,
    "RECEIVED": WAITING,
    "STARTED": GOING,
    "RETRY": WAITING,
    "SUCCESS": SUCCEEDED,
    "FAILURE": FAILED,
    "REJECTED": FAILED,
    "IGNORED": Status("ignored", "✕", "outline"),
    "REVOKED": CANCELLED,
}

admin.site.unregister((TaskResult, GroupResult))


class _ResultAdmin(BaseAdmin[Any]):
    id_search_fields = ()
    time_column = "date_done"
    date_hierarchy = None

    def title_of(self, row: Any) -> str:
        """Return the task and the time: the model's own name is an id."""
        name = getattr(row, "task_name", None) or "result"
        return f"{name} · {time_text(row.date_done)}"


@admin.register(TaskResult)
class TaskResultAdmin(_ResultAdmin, results.TaskResultAdmin):  # type: ignore[misc]  # is untyped
    list_title = "Celery results"
    words: ClassVar[Mapping[str, Words]] = {"status": STATES}
    list_filter: ClassVar[Any] = (("status", WordsFilter), "task_name", "worker")
    list_display: Any = ("task_name", "date_done", "status", "worker")


@admin.register(GroupResult)
class GroupResultAdmin(_ResultAdmin, results.GroupResultAdmin):  # type: ignore[misc]  # is untyped
    list_title = "Celery group results"
    list_display: Any = ("date_done",)
