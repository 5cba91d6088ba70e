from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            self._refuse_unknown(data)
        return super().to_internal_value(data)

    def _refuse_unknown(self, data: dict[str, Any]) -> None:
        known = [name for name, f in self.fields.items() if not f.read_only]
        ignored = {name for name, f in self.fields.items() if f.read_only}
        unknown = sorted(set(map(str, data)) - set(known) - ignored)
        if unknown:
            raise serializers.ValidationError(
                {name: [_unknown(name, known)] for name in unknown}
            )


class AnyCaseChoiceField(serializers.ChoiceField):
    """A choice that is read in any case and written in lower case."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(
            data.lower() if isinstance(data, str) else data
        )


class JSONObjectField(serializers.JSONField):
    """A JSON object that PostgreSQL can keep as jsonb: no NUL, no lone surrogate."""

    default_error_messages = {
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


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"Unknown field.{f' Did you mean {close[0]!r}?' if close else ''}"
