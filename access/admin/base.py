from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite, ShowFacets
from django.core.exceptions import PermissionDenied
from django.db import DataError, models
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold import paginator
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from access.admin.changes import latest_changes
from access.audit.log import VIEW_AUDIT_LOG
from access.audit.records import audited
from access.callers import caller_of
from access.models import AuditLog
from access.policy import (
    VIEW_PAYLOAD,
    log_payload_read,
    may_write,
    rule_of,
    visible,
)
from common.admin.columns import Words, list_column, shown_fieldsets, text_of
from common.admin.display import time_tag
from common.admin.forms import JSONObjectField
from common.errors import Conflict
from common.wording import time_text

if TYPE_CHECKING:
    # unfold has no types; its ModelAdmin is a subclass of Django's.
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin as UnfoldModelAdmin

    class ModelAdmin(UnfoldModelAdmin):
        def __class_getitem__(cls, _: object) -> type:
            return cls


_M = TypeVar("_M", bound=Model)

MAX_PAGES = 1000
PAGE_SIZE = 50


# unfold's templates know it by this name.
class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]  # is untyped
    """Pages of a table that is too large to count; old rows are found by filters."""

    count = MAX_PAGES * PAGE_SIZE


class BaseAdmin(ModelAdmin[_M]):
    """A ModelAdmin that also searches for ids, and accepts input of any kind.

    `id_search_fields` are the UUID columns that a search for an id compares. `words`
    has the words for the stored values of a column, by the column's name; `labels` has
    the columns' own names, where the model's are not those of the pages. `list_title`
    is the name of the list, and `empty_text` says what would be in it. `time_column`
    names the time that a row's title contains. `payload_fields` are shown only to users
    who may see payloads, and each time is logged.
    """

    id_search_fields: ClassVar[tuple[str, ...]] = ("pk",)
    words: ClassVar[Mapping[str, Words]] = {}
    labels: ClassVar[Mapping[str, str]] = {}
    list_title = ""
    payload_fields: ClassVar[tuple[str, ...]] = ()
    time_column = ""
    has_changes = True
    empty_text = "Nothing here yet."
    change_form_template = "admin/tickhook/change_form.html"
    change_list_template = "admin/tickhook/change_list.html"
    object_history_template = "admin/tickhook/object_history.html"
    empty_value_display = ""
    list_per_page = PAGE_SIZE
    list_filter_submit = True
    list_filter_sheet = False
    list_fullwidth = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    formfield_overrides: ClassVar[dict[Any, dict[str, Any]]] = {
        models.JSONField: {
            "form_class": JSONObjectField,
            "widget": UnfoldAdminTextareaWidget,
        },
    }

    def __init__(self, model: type[_M], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        name = self.list_title or str(self.opts.verbose_name_plural)
        self.list_title = capfirst(name)

    def title_of(self, row: _M) -> str:
        """Return how page titles name a row."""
        return str(row)

    def heading_of(self, row: _M) -> SafeString | str:
        """Return the title of a row with its time in the zone of the viewer."""
        title = self.title_of(row)
        at = getattr(row, self.time_column) if self.time_column else None
        if at is None or time_text(at) not in title:
            return title
        head, _, tail = title.rpartition(time_text(at))
        return format_html("{}{}{}", head, time_tag(at, "short"), tail)

    def empty_link(self, request: HttpRequest) -> tuple[str, str] | None:
        """Return the text and URL of the button of an empty list."""
        if not self.has_add_permission(request):
            return None
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_add"
        return f"Add {self.opts.verbose_name}", reverse(name)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        # Otherwise unfold shows "Show all" in the heading of each list.
        found.full_result_count = found.result_count
        for spec in found.filter_specs:
            spec.title = self.labels.get(getattr(spec, "field_path", ""), spec.title)
        return found

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        names = super().get_list_display(request)
        return [
            list_column(n, self.model, self.words.get(str(n)), self.labels.get(str(n)))
            for n in names
        ]

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if label := self.labels.get(db_field.name):
            kwargs.setdefault("label", label)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_choice_field(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        field: Any = super().formfield_for_choice_field(db_field, request, **kwargs)
        if words := self.words.get(db_field.name):
            field.choices = [
                (value, text_of(words.get(value, label)))
                for value, label in field.choices
            ]
        return field

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: _M | None = None,
    ) -> HttpResponse:
        adminform = context["adminform"]
        hidden = self._hidden_fields(request, obj)
        adminform.fieldsets = shown_fieldsets(self, adminform, obj, hidden)
        may_see_changes = self.has_changes and self._may_see_changes(request)
        context["has_changes"] = obj is not None and may_see_changes
        if obj is not None:
            context |= {"title": self.list_title, "subtitle": self.title_of(obj)}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _hidden_fields(self, request: HttpRequest, obj: _M | None) -> Set[str]:
        """Return the fields that the user may not see; log that the others are read."""
        if obj is None or not self.payload_fields:
            return frozenset()
        caller = caller_of(request)
        if not caller.has_perm(VIEW_PAYLOAD):
            return frozenset(self.payload_fields)
        log_payload_read(caller, str(self.opts.model_name), obj.pk)
        return frozenset()

    def render_delete_form(
        self, request: HttpRequest, context: dict[str, Any]
    ) -> HttpResponse:
        context["subtitle"] = self.title_of(context["object"])
        return super().render_delete_form(request, context)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what the audit log has of a row, or else Django's own log of it."""
        if not self._may_see_changes(request):
            raise PermissionDenied
        response = super().history_view(request, object_id, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            row = response.context_data["object"]
            context = {"title": "Changes", "subtitle": self.title_of(row)}
            if self.model in audited:
                log = visible(AuditLog.objects.all(), caller_of(request))
                context |= latest_changes(log, row)
            response.context_data |= context
        return response

    def _may_see_changes(self, request: HttpRequest) -> bool:
        return self.model not in audited or request.user.has_perm(VIEW_AUDIT_LOG)

    def get_queryset(self, request: HttpRequest) -> QuerySet[_M]:
        return visible(super().get_queryset(request), caller_of(request))

    def has_view_permission(self, request: HttpRequest, obj: _M | None = None) -> bool:
        is_open = not caller_of(request).subject or rule_of(self.model) is not None
        return is_open and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        is_open = may_write(caller_of(request), self.model)
        return is_open and super().has_add_permission(request)

    def has_change_permission(
        self, request: HttpRequest, obj: _M | None = None
    ) -> bool:
        is_open = may_write(caller_of(request), self.model)
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: _M | None = None
    ) -> bool:
        is_open = may_write(caller_of(request), self.model)
        return is_open and super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        kwargs.setdefault("queryset", _choices(db_field, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        kwargs.setdefault("queryset", _choices(db_field, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[_M], search_term: str
    ) -> tuple[QuerySet[_M], bool]:
        if "\x00" in search_term:
            return queryset.none(), False
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        either = Q()
        for name in self.id_search_fields:
            either |= Q((name, wanted))
        return queryset.filter(either), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> _M | None:
        if "\x00" in object_id:
            return None
        return super().get_object(request, object_id, from_field)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the unfiltered list if the database rejects a filter's value."""
        extra_context = {
            "title": self.list_title,
            "empty_link": self.empty_link(request),
            **(extra_context or {}),
        }
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        try:
            response = super().changelist_view(request, extra_context)
            if isinstance(response, TemplateResponse):
                # The list's query runs now, while its error can be handled.
                response.render()
        except DataError:
            return HttpResponseRedirect(f"{request.path}?e=1")
        return response


def _choices(db_field: Any, request: HttpRequest) -> QuerySet[Any]:
    """Return the rows that a form may offer for a relation."""
    rows = db_field.remote_field.model._default_manager.all()
    return visible(rows, caller_of(request))


class VisibleRowsFilter(AutocompleteSelectFilter):  # type: ignore[misc]  # is untyped
    """Filters by a related row, of those that the user may see.

    unfold's filter would name any row whose id is in the URL.
    """

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for shown in super().choices(changelist):
            for field in shown["form"].fields.values():
                field.queryset = _choices(self.field, self.request)
            yield shown


class HistoryAdmin(BaseAdmin[_M]):
    """Rows that record what happened: people cannot add, change or delete them."""

    actions: Sequence[str] | None = None
    paginator = InfinitePaginator
    has_changes = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: _M | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: _M | None = None
    ) -> bool:
        return False


class GuardedDeletionAdmin(BaseAdmin[_M]):
    """Rows that a service deletes; if it raises Conflict, the page shows the reason.

    `delete_model` calls the service.
    """

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except Conflict as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect("../change/")

    def get_deleted_objects(
        self, objs: QuerySet[_M] | Sequence[_M], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return only the rows: the service does not delete a row that is used."""
        return [str(row) for row in objs], {}, set(), []
