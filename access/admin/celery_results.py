"""The admin of the results that Celery stores, if it is set up to store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django_celery_results import admin as _registered  # noqa: F401 - by its import
from django_celery_results.models import GroupResult, TaskResult

from access.admin.base import HistoryAdmin
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


class TaskResultAdmin(HistoryAdmin[TaskResult]):
    """Celery's own table of results, which has rows with TICKHOOK_CELERY_RESULTS."""

    list_title = "Celery results"
    words: ClassVar[Mapping[str, Words]] = {"status": STATES}
    payload_fields = ("task_args", "result", "traceback")
    time_column = "date_done"
    id_search_fields = ()
    search_fields = ("task_id", "task_name")
    list_filter: ClassVar[Any] = (("status", WordsFilter), "task_name", "worker")
    list_display = ("task_name", "date_done", "status", "worker")
    ordering = ("-date_done",)
    fields = (
        "task_id", "task_name", "task_args", "status", "worker", "result",
        "traceback", "date_created", "date_done",
    )  # fmt: skip

    def title_of(self, row: TaskResult) -> str:
        """Return the task and the time: the model's own name is an id."""
        return f"{row.task_name or 'result'} · {time_text(row.date_done)}"


if settings.TICKHOOK_CELERY_RESULTS:
    admin.site.register(TaskResult, TaskResultAdmin)
