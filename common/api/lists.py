"""Filters and pages of the API's lists. A value that cannot be read is an error."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import fields
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import pagination
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.errors import Fault, InvalidInput


class FilterBackend(filters.DjangoFilterBackend):
    """Rejects an empty filter by its name: otherwise it would return all rows.

    The form of the browsable API sends all of its fields, so it may send empty ones.
    """

    def filter_queryset(
        self, request: Any, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        if request.accepted_renderer.format != BrowsableAPIRenderer.format:
            self._refuse_empty(request, self.get_filterset_class(view, queryset))
        rows: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return rows

    def _refuse_empty(self, request: Request, filterset: Any) -> None:
        names = filterset.base_filters if filterset is not None else ()
        faults = [
            Fault(f"/{name}", f"{name} is empty. Give it a value or leave it out.")
            for name in names
            if not all(value.strip() for value in request.query_params.getlist(name))
        ]
        if faults:
            raise InvalidInput(" ".join(f.detail for f in faults), faults=faults)


class AnyCaseField(fields.ChoiceField):
    """A choice in upper or lower case; the error names the choices."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).lower()

    def validate(self, value: Any) -> None:
        if value and not self.valid_value(value):
            choices: Any = self.choices  # the stubs also allow a function
            names = [str(name) for name, _ in choices if name]
            raise forms.ValidationError(f"Must be one of: {', '.join(names)}.")
        super().validate(value)


class AnyCaseChoiceFilter(filters.ChoiceFilter):
    """A choice in upper or lower case."""

    field_class = AnyCaseField


class FlagField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        match str(value or "").lower():
            case "":
                return None
            case "true" | "1":
                return True
            case "false" | "0":
                return False
        raise forms.ValidationError("Must be true or false.")


@extend_schema_field(OpenApiTypes.BOOL)
class FlagFilter(filters.Filter):
    """`true` or `false`; any other value is an error."""

    field_class = FlagField


class EndField(fields.IsoDateTimeField):
    """A date without a time means the end of its day."""

    def to_python(self, value: Any) -> datetime | None:
        instant: datetime | None = super().to_python(value)
        if instant is None or len(value.strip()) > len("2026-01-31"):
            return instant
        return datetime.combine(instant, time.max, tzinfo=instant.tzinfo)


@extend_schema_field(OpenApiTypes.DATETIME)
class SinceFilter(filters.IsoDateTimeFilter):
    """From this instant on; a date means its midnight in UTC."""

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name=field_name, lookup_expr="gte")


@extend_schema_field(OpenApiTypes.DATETIME)
class UntilFilter(filters.IsoDateTimeFilter):
    """Up to this instant; a date means the end of its day in UTC."""

    field_class = EndField

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name=field_name, lookup_expr="lte")


class PageNumberPagination(pagination.PageNumberPagination):
    """The pages of the API's lists: `page`, `page_size` (50, at most 500)."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    results_key = "results"

    def get_page_size(self, request: Request) -> int:
        """Return the requested size, at most 500, or raise InvalidInput."""
        asked = request.query_params.get("page_size", str(self.page_size))
        if not (asked.isascii() and asked.isdecimal() and asked.strip("0")):
            detail = "page_size must be a whole number from 1 to 500"
            raise InvalidInput(detail, faults=[Fault("/page_size", detail)])
        is_short = len(asked.lstrip("0")) <= len(str(self.max_page_size))
        return min(int(asked), self.max_page_size) if is_short else self.max_page_size

    def get_paginated_response(self, data: Any) -> Response:
        assert self.page is not None  # noqa: S101 - DRF paginated before
        total = self.page.paginator.count
        return Response(
            {
                self.results_key: data,
                "total_count": total,
                "total": total,
                "page": self.page.number,
                "page_size": self.page.paginator.per_page,
                "has_next": self.page.has_next(),
                "has_previous": self.page.has_previous(),
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number, flag = {"type": "integer"}, {"type": "boolean"}
        properties = {
            self.results_key: schema,
            "total_count": number,
            "total": number,
            "page": number,
            "page_size": number,
            "has_next": flag,
            "has_previous": flag,
        }
        return {
            "type": "object",
            "required": list(properties),
            "properties": properties,
        }


class ExecutionPagination(PageNumberPagination):
    """The pages of execution lists, whose key is `executions`."""

    results_key = "executions"
