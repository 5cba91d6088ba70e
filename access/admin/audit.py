from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter, TextFilter

from access.admin.base import HistoryAdmin
from access.admin.changes import lines_html
from access.audit.log import by_actor
from access.audit.wording import (
    ACTORS,
    CHANGES,
    MODELS,
    OBJECTS,
    actor_text,
    set_lines,
)
from access.models import AuditLog
from common.admin.columns import Words, WordsFilter
from common.admin.display import NOTHING, page_link

MAX_LINES = 5
MAX_CHARACTERS = 160


class ActorFilter(TextFilter):  # type: ignore[misc]  # unfold has no types
    """Filters by the name of a user or command, or a key's prefix."""

    title = "name or key"
    parameter_name = "actor"

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditLog]
    ) -> QuerySet[AuditLog]:
        name = (self.value() or "").strip().removesuffix("…")
        return queryset.filter(by_actor(name)) if name else queryset


@admin.register(AuditLog)
class AuditLogAdmin(HistoryAdmin[AuditLog]):
    """Who changed what, of all kinds of objects, newest first."""

    list_title = "Audit log"
    words: ClassVar[Mapping[str, Words]] = {
        "object_type": OBJECTS,
        "actor_kind": ACTORS,
        "change": CHANGES,
    }
    labels: ClassVar[Mapping[str, str]] = {
        "at": "Time",
        "change": "Action",
        "object_type": "kind of object",
        "actor_kind": "who changed it",
    }
    time_column = "at"
    empty_text = "No changes yet. Each change of a trigger, agent or user appears here."
    list_display = ("at", "who", "what", "change", "summary", "reason")
    list_filter = (
        ("object_type", WordsFilter),
        ("actor_kind", WordsFilter),
        ActorFilter,
        ("at", RangeDateTimeFilter),
    )
    search_fields = ("object_name", "object_id")
    search_help_text = "The name or the id of an object"
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": ("at", "who", "what", "change", "details", "reason")}),
        ("Facts", {"fields": ("object_id", "id")}),
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        set_lines(found.result_list)
        return found

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditLog | None:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            set_lines([row])
        return row

    @admin.display(description="Who")
    def who(self, row: AuditLog) -> str:
        return actor_text(row)

    @admin.display(description="What")
    def what(self, row: AuditLog) -> SafeString:
        """Return the kind and the name of the object, with a link to its page."""
        model = MODELS[row.object_type]
        name: str | SafeString = row.object_name
        if row.change != "deleted" and self.admin_site.is_registered(model):
            page = f"{model._meta.app_label}_{model._meta.model_name}"
            name = page_link(page, row.object_id, row.object_name)
        return format_html("{} {}", OBJECTS[row.object_type], name)

    @admin.display(description="Changes")
    def summary(self, row: AuditLog) -> SafeString:
        more = len(row.lines) - MAX_LINES
        rest = format_html("<div>and {} more</div>", more) if more > 0 else NOTHING
        shown = [(label, _shortened(text)) for label, text in row.lines[:MAX_LINES]]
        return lines_html(shown) + rest

    @admin.display(description="Changes")
    def details(self, row: AuditLog) -> SafeString:
        return lines_html(row.lines)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "…"
