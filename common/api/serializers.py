from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

MAX_UNKNOWN_FIELDS = 20
MAX_NAME_LENGTH = 100


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know, by name.

    Fields that can only be read are passed over: what was read can be sent back.
    """

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**unknown, **_by_field(error)}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        writable = [name for name, field in self.fields.items() if not field.read_only]
        unknown = sorted(name for name in data if name not in self.fields)
        names = [name[:MAX_NAME_LENGTH] for name in unknown[:MAX_UNKNOWN_FIELDS]]
        return {name: [_explain_unknown(name, writable)] for name in names}


class AnyCaseChoiceField(serializers.ChoiceField):
    """A choice that is read in any case and written in lower case."""

    def to_internal_value(self, data: Any) -> Any:
        lowered = data.lower() if isinstance(data, str) else data
        if not isinstance(lowered, str) or lowered not in self.choices:
            raise serializers.ValidationError(
                f"Must be one of: {', '.join(map(str, self.choices))}.",
                "invalid_choice",
            )
        return super().to_internal_value(lowered)


@extend_schema_field(OpenApiTypes.OBJECT)
class JSONObjectField(serializers.JSONField):
    """A JSON object that PostgreSQL can keep as jsonb: no NUL, no lone surrogate."""

    default_error_messages = {  # noqa: RUF012 - DRF declares it on instances
        "not_an_object": "Must be a JSON object.",
        "unstorable": "Must not hold NUL characters or lone surrogates.",
    }

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("not_an_object")
        if not _is_storable(value):
            self.fail("unstorable")
        return value


def _by_field(error: serializers.ValidationError) -> dict[str, Any]:
    """Return a serializer's own faults, which DRF always keeps by field."""
    detail = error.detail
    assert isinstance(detail, dict)  # noqa: S101 - see above
    return detail


def _explain_unknown(name: str, known: list[str]) -> ErrorDetail:
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ErrorDetail(f"Unknown field.{hint}", code="unknown")


def _is_storable(value: Any) -> bool:
    match value:
        case str():
            return _is_text(value)
        case dict():
            return all(_is_storable(k) and _is_storable(v) for k, v in value.items())
        case list():
            return all(map(_is_storable, value))
    return True


def _is_text(value: str) -> bool:
    return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
