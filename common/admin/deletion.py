from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from common.admin.base import HouseAdmin
from common.errors import Conflict

_M = TypeVar("_M", bound=Model)


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
