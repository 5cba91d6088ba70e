from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.db import DataError, models
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold import paginator
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin.forms import JSONObjectField
from common.errors import Conflict

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


_M = TypeVar("_M", bound=Model)

MAX_PAGES = 1000
PAGE_SIZE = 50


# unfold's templates know it by this name.
class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]  # is untyped
    """Pages of a table too large to count; the far end is for filters to reach."""

    count = MAX_PAGES * PAGE_SIZE


class HouseAdmin(ModelAdmin[_M]):
    """Searches by id as by text, and answers odd input without an error page.

    `id_search_fields` are the UUID columns in which a searched id is looked for.
    """

    id_search_fields: ClassVar[tuple[str, ...]] = ("pk",)
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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[_M], search_term: str
    ) -> tuple[QuerySet[_M], bool]:
        if "\x00" in search_term:
            return queryset.none(), False
        if wanted := _as_uuid(search_term):
            either = Q()
            for name in self.id_search_fields:
                either |= Q((name, wanted))
            return queryset.filter(either), False
        return super().get_search_results(request, queryset, search_term)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> _M | None:
        if "\x00" in object_id:
            return None
        return super().get_object(request, object_id, from_field)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Answer a filter that the database can't read with the unfiltered list."""
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        try:
            response = super().changelist_view(request, extra_context)
            return _rendered(response)
        except DataError:
            return HttpResponseRedirect(f"{request.path}?e=1")


class HistoryAdmin(HouseAdmin[_M]):
    """Rows that record what happened: nobody adds, changes or deletes them by hand."""

    actions: Sequence[str] | None = None
    paginator = InfinitePaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False


def _rendered(response: HttpResponse) -> HttpResponse:
    """Run the list's query now, where its error can be answered."""
    if isinstance(response, TemplateResponse):
        response.render()
    return response


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


class GuardedDeletionAdmin(HouseAdmin[_M]):
    """Rows that a service deletes; where it refuses, its page says why.

    `delete_model` calls the service, which raises Conflict.
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
        """Name the row alone: one that is used is not deleted anyway."""
        return [str(row) for row in objs], {}, set(), []
