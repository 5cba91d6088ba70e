"""Puts the changes of objects in words, as pages name their columns and values."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BooleanField, DateTimeField, ForeignKey, Model
from django.utils.text import capfirst

from access.actors import ActorKind
from access.audit.records import audited
from access.audit.states import Change
from access.models import AuditLog
from common.admin.columns import Words, text_of
from common.fields import EncryptedJSONField, RawJSONField
from common.wording import Status, duration_text, time_text

CHANGES: Mapping[str, Status] = {
    "created": Status("created", "+", "green"),
    "changed": Status("changed", "~", "blue"),
    "deleted": Status("deleted", "✕", "red"),
}
ACTORS: Mapping[str, str] = {
    ActorKind.USER: "a person",
    ActorKind.KEY: "a program with a key",
    ActorKind.COMMAND: "a command",
    ActorKind.SYSTEM: "Tickhook",
}
OBJECTS: Mapping[str, str] = {
    records.kind: str(model._meta.verbose_name) for model, records in audited.items()
}
MODELS: Mapping[str, type[Model]] = {
    records.kind: model for model, records in audited.items()
}
SECRETS: Mapping[str, str] = {
    "created": "set",
    "changed": "changed",
    "deleted": "removed",
}
NO_VALUE = "nothing"

Names = Mapping[type[Model], Mapping[str, str]]


def actor_text(row: AuditLog) -> str:
    match row.actor_kind:
        case ActorKind.USER:
            return row.actor
        case ActorKind.KEY:
            return f"{row.actor}, with the key {row.key_prefix}…"
        case ActorKind.COMMAND:
            return f"the command {row.actor}"
    return ACTORS[ActorKind.SYSTEM]


def set_lines(rows: Sequence[AuditLog]) -> None:
    """Set the lines of rows; one query for each model that their changes refer to."""
    names = _find_names(rows)
    for row in rows:
        labels = _Labels(model=MODELS[row.object_type], names=names)
        row.lines = [labels.line_of(change, row.change) for change in row.changes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
    """The words for the columns of a model; `names` are those of related rows."""

    model: type[Model]
    names: Names

    def line_of(self, change: Change, kind: str) -> tuple[str, str]:
        column = _column(self.model, change["field"])
        page: Any = admin.site._registry.get(self.model)
        name = column.name if column is not None else change["field"]
        words = getattr(page, "words", {}).get(name)
        label = getattr(page, "labels", {}).get(name) or capfirst(
            str(column.verbose_name) if column is not None else name.replace("_", " ")
        )
        old, new = change["old"], change["new"]
        if change["is_secret"]:
            return label, f"{SECRETS[kind]}; the value is not recorded"
        if isinstance(old, list) and isinstance(new, list) and column is None:
            return label, _difference(old, new)
        old, new = (self._text(value, column, words) for value in (old, new))
        if kind == "changed":
            return label, f"{old} → {new}"
        return label, new if kind == "created" else old

    def _text(self, value: Any, column: Any, words: Words | None) -> str:
        if value in (None, "", [], {}):
            return NO_VALUE
        if isinstance(column, BooleanField):
            return "yes" if value else "no"
        if words:
            return text_of(words.get(value, str(value)))
        if isinstance(column, ForeignKey):
            return self.names[column.related_model].get(str(value), str(value))
        if isinstance(column, DateTimeField):
            return time_text(datetime.fromisoformat(value))
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return ", ".join(value)
        if isinstance(value, int) and getattr(column, "name", "").endswith("_seconds"):
            return duration_text(value * 1000)
        return value if isinstance(value, str) else json.dumps(value)


def _difference(old: Sequence[str], new: Sequence[str]) -> str:
    """Return what was added to a list of names, and what was removed from it."""
    parts = (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
    )
    return "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names)


def _column(model: type[Model], name: str) -> Any:
    """Return a column; None for a relation or a column that there was once."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if field.concrete and not field.many_to_many else None


def _find_names(rows: Iterable[AuditLog]) -> Names:
    """Find the present names of the rows to which changes refer."""
    wanted: dict[type[Model], set[str]] = defaultdict(set)
    for row in rows:
        for change in row.changes:
            column = _column(MODELS[row.object_type], change["field"])
            if isinstance(column, ForeignKey):
                ids = {str(change[k]) for k in ("old", "new") if change[k] is not None}
                wanted[column.related_model] |= ids
    return {model: _names_of(model, ids) for model, ids in wanted.items()}


def _names_of(model: type[Model], ids: Iterable[str]) -> Mapping[str, str]:
    large_or_secret = [
        column.name
        for column in model._meta.concrete_fields
        if isinstance(column, (EncryptedJSONField, RawJSONField))
    ]
    rows = model._base_manager.defer(*large_or_secret).in_bulk(list(ids))
    return {str(pk): str(row) for pk, row in rows.items()}
