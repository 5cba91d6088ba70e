from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django import forms
from django.db import transaction
from django.db.models import Model
from django.forms.fields import InvalidJSONInput
from rest_framework import serializers

from common.api import serializers as api
from common.errors import Fault, TickhookError
from common.fields import dump_json

_M = TypeVar("_M", bound=Model)

if TYPE_CHECKING:
    from django.forms import ModelForm as BaseForm
else:

    class BaseForm(Generic[_M], forms.ModelForm):
        """Django's form, which has no type parameter at run time."""


class ServiceForm(BaseForm[_M]):
    """A form whose row a service writes; it is valid if the service accepts it.

    The faults of the service are shown at the fields that they point to. `field_of`
    maps the first token of a pointer to its field, if their names differ.
    """

    field_of: ClassVar[Mapping[str, str]] = {}

    def store(self) -> _M:
        """Write the cleaned data by the service; return the row."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.store()
        except TickhookError as error:
            self._add_faults(error)

    def _add_faults(self, error: TickhookError) -> None:
        for fault in error.faults or (Fault("", error.detail),):
            head, _, rest = fault.pointer.removeprefix("/").partition("/")
            name = self.field_of.get(head, head)
            place = f"{rest}: " if rest else ""
            is_shown = name in self.fields
            self.add_error(name if is_shown else None, place + fault.detail)

    def given(self, *names: str) -> dict[str, Any]:
        """Return the cleaned values of these fields, as far as the form has them."""
        return {n: self.cleaned_data[n] for n in names if n in self.cleaned_data}


class JSONObjectField(forms.JSONField):
    """A JSON object by the rules of the API; an empty field is the empty object."""

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
        """Return the value of the text; raise ValidationError, also for NaN."""
        try:
            parsed = super().clean(value)
            dump_json(parsed)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                self.error_messages["invalid"], params={"value": value}
            ) from error
        return parsed


class LinesField(forms.CharField):
    """A list of texts, one per line; empty lines are ignored."""

    def to_python(self, value: Any) -> Any:
        lines = (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())
