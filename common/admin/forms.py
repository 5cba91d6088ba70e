from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django import forms
from django.db import transaction
from django.db.models import Model

from common.errors import Fault, TickhookError

_M = TypeVar("_M", bound=Model)


if TYPE_CHECKING:
    from django.forms import ModelForm as BaseForm
else:

    class BaseForm(Generic[_M], forms.ModelForm):
        """Django's form takes no type parameter when it runs."""


class ServiceForm(BaseForm[_M]):
    """A form whose row is written by a service: it is valid once the service took it.

    What the service refuses is shown at the fields that its faults point to;
    `field_of` names the field of a pointer's first part where the two differ.
    """

    field_of: ClassVar[Mapping[str, str]] = {}

    def store(self) -> _M:
        """Write the cleaned data through the service; return the row."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.store()
        except TickhookError as error:
            self._refuse(error)

    def _refuse(self, error: TickhookError) -> None:
        for fault in error.faults or (Fault("", error.detail),):
            head, _, rest = fault.pointer.removeprefix("/").partition("/")
            name = self.field_of.get(head, head)
            place = f"{rest}: " if rest else ""
            is_shown = name in self.fields
            self.add_error(name if is_shown else None, place + fault.detail)

    def given(self, *names: str) -> dict[str, Any]:
        """Return the cleaned values of those of these fields that the form has."""
        return {n: self.cleaned_data[n] for n in names if n in self.cleaned_data}
