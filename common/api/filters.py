"""Filters of lists: choices in any case, and nothing unreadable passed over."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django_filters import fields
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field


class AnyCaseField(fields.ChoiceField):
    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).lower()


class AnyCaseChoiceFilter(filters.ChoiceFilter):
    """A choice, read in any case."""

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
    """`true` or `false`; anything else is refused, not read as neither."""

    field_class = FlagField


class EndField(fields.IsoDateTimeField):
    """A date without a time stands for the end of its day."""

    def to_python(self, value: Any) -> datetime | None:
        instant: datetime | None = super().to_python(value)
        if instant is None or len(value.strip()) > len("2026-01-31"):
            return instant
        return datetime.combine(instant, time.max, tzinfo=instant.tzinfo)


@extend_schema_field(OpenApiTypes.DATETIME)
class SinceFilter(filters.IsoDateTimeFilter):
    """From this instant on; a date is its midnight UTC."""

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name=field_name, lookup_expr="gte")


@extend_schema_field(OpenApiTypes.DATETIME)
class UntilFilter(filters.IsoDateTimeFilter):
    """Up to this instant; a date is its whole day UTC."""

    field_class = EndField

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name=field_name, lookup_expr="lte")
