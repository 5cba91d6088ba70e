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
    """A serializer that rejects unknown fields by their names.

    Read-only fields are ignored, so a client can send back what it received.
    """

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._find_unknown(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            by_field = error.detail
            assert isinstance(by_field, dict)  # noqa: S101 - DRF's serializers do so
            raise serializers.ValidationError({**unknown, **by_field}) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _find_unknown(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return an error for each unknown field, with a similar field if any."""
        writable = [name for name, field in self.fields.items() if not field.read_only]
        unknown = sorted(name for name in data if name not in self.fields)
        errors: dict[str, list[str]] = {}
        for name in unknown[:MAX_UNKNOWN_FIELDS]:
            shown = name[:MAX_NAME_LENGTH]
            close = get_close_matches(shown, writable, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            errors[shown] = [ErrorDetail(f"Unknown field.{hint}", code="unknown")]
        return errors


class AnyCaseChoiceField(serializers.ChoiceField):
    """A choice that is read in upper or lower case, and written in lower case."""

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
    """A JSON object that PostgreSQL can store as jsonb: no NUL, no lone surrogate."""

    default_error_messages = {  # noqa: RUF012 - DRF declares it on instances
        "not_an_object": "Must be a JSON object.",
        "unstorable": "Must not contain NUL characters or lone surrogates.",
    }

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("not_an_object")
        if not _is_storable(value):
            self.fail("unstorable")
        return value


def _is_storable(value: Any) -> bool:
    match value:
        case str():
            is_text = not any("\ud800" <= c <= "\udfff" for c in value)
            return is_text and "\x00" not in value
        case dict():
            return all(_is_storable(k) and _is_storable(v) for k, v in value.items())
        case list():
            return all(map(_is_storable, value))
    return True
