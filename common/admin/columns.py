"""How admin pages show the columns of a row: words, times, numbers, nothing if empty.

unfold would show raw values, a "-" for an empty one, and evaluate each read-only value
several times. Here each value is rendered once, before unfold sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten, label_for_field, lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models
from django.db.models import Manager, Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from common.admin.display import NOTHING, copyable_id, time_tag, word
from common.wording import Status, duration_text

Words = Mapping[str, Status | str]
Renderer = Callable[[Any], SafeString | str]

_MILLISECONDS = {"_ms": 1, "_ms_sum": 1, "_seconds": 1000}


class WordsFilter(ChoicesDropdownFilter):  # type: ignore[misc]  # unfold has no types
    """Filters by a column's choices, in the words of the ModelAdmin's `words`."""

    def __init__(
        self,
        field: Any,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: Any,
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self._words: Words = model_admin.words[field_path]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        choices = [(value, text_of(found)) for value, found in self._words.items()]
        yield {
            "form": self.form_class(
                label=f" By {self.title} ",
                name=self.lookup_kwarg,
                choices=[self.all_option, *choices],
                data={self.lookup_kwarg: self.value()},
                multiple=False,
            ),
        }


def text_of(found: Status | str) -> str:
    return found.word if isinstance(found, Status) else found


def list_column(
    name: Any, model: type[Model], words: Words | None, label: str | None
) -> Any:
    """Return what a list shows for a column: its name, or a function of the row."""
    field = _field_of(name, model)
    render = _renderer_of(field, words, "ago") if field is not None else None
    if field is None or not (render or label):
        return name
    is_boolean = isinstance(field, models.BooleanField)

    @admin.display(
        description=label or field.verbose_name, ordering=name, boolean=is_boolean
    )
    def column(row: Model) -> Any:
        value = getattr(row, name)
        if is_empty(value):
            return NOTHING
        return render(value) if render else value

    column.__name__ = name
    return column


def shown_fieldsets(
    model_admin: Any, adminform: Any, row: Model | None, hidden: Set[str]
) -> list[Any]:
    """Return the fieldsets of a page, without hidden and empty read-only fields."""
    readonly = set(adminform.readonly_fields)
    shown = []
    for title, options in adminform.fieldsets:
        lines = [
            _shown_line(line, readonly, model_admin, adminform.form, row)
            for line in options["fields"]
            if line not in hidden
        ]
        if fields := [line for line in lines if line]:
            shown.append((title, {**options, "fields": fields}))
    adminform.readonly_fields = [
        *readonly,
        *(name for _, o in shown for name in flatten(o["fields"]) if callable(name)),
    ]
    return shown


def is_empty(value: object) -> bool:
    if isinstance(value, Manager):
        return not value.exists()
    return value is None or value in ("", [], {}, ())


def _shown_line(
    line: Any, readonly: set[Any], model_admin: Any, form: Any, row: Model | None
) -> Any:
    names = line if isinstance(line, (list, tuple)) else (line,)
    shown = [
        found
        for name in names
        if (
            found := _shown_value(name, model_admin, form, row)
            if name in readonly
            else name
        )
    ]
    return shown[0] if len(shown) == 1 else shown


def _shown_value(name: Any, model_admin: Any, form: Any, row: Model | None) -> Any:
    """Return a function that returns the value of a field, its name, or None."""
    if row is None:
        return None
    try:
        field, attribute, value = lookup_field(name, row, model_admin)
    except (AttributeError, ObjectDoesNotExist):  # as Django's own pages do
        return None
    if field is None and getattr(attribute, "boolean", False):
        return name
    if is_empty(value):
        return None
    if field is not None:
        render = _renderer_of(field, model_admin.words.get(name), "full")
        if render is None:
            return name
        value = render(value)
    label = model_admin.labels.get(name) or str(
        label_for_field(name, type(row), model_admin, form=form)
    )

    @admin.display(description=label)
    def shown(_: Model) -> Any:
        return value

    shown.__name__ = str(name)
    return shown


def _renderer_of(field: Any, words: Words | None, times: str) -> Renderer | None:
    """Return how a column's values are shown; None leaves it to unfold."""
    name: str = field.name
    for ending, factor in _MILLISECONDS.items():
        if name.endswith(ending):
            return lambda value: duration_text(value * factor)
    if words is not None:
        return lambda value: word(value, words)
    if isinstance(field, models.DateTimeField):
        return lambda value: time_tag(value, times)
    if isinstance(field, models.UUIDField):
        return copyable_id
    if isinstance(field, models.IntegerField) and not field.primary_key:
        return lambda value: f"{value:,}"
    return None


def _field_of(name: Any, model: type[Model]) -> Any:
    try:
        return model._meta.get_field(name) if isinstance(name, str) else None
    except FieldDoesNotExist:
        return None
