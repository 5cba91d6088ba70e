from __future__ import annotations

import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from rest_framework import serializers

from common.api import serializers as api
from common.fields import dump_json


class JSONObjectField(forms.JSONField):
    """A JSON object by the API's rules; nothing entered is the empty object."""

    def clean(self, value: Any) -> Any:
        parsed = self._parse(value)
        if parsed is None:
            return {}
        try:
            return api.JSONObjectField().run_validation(parsed)
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(text) for text in error.detail]) from error

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, (str, InvalidJSONInput)):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def _parse(self, value: Any) -> Any:
        """Return the value that the text stands for; NaN is refused."""
        try:
            parsed = super().clean(value)
            dump_json(parsed)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                self.error_messages["invalid"], params={"value": value}
            ) from error
        return parsed


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines don't count."""

    def to_python(self, value: Any) -> Any:
        lines = (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())
