"""The state of an audited row, and what differs between two states.

The values of secrets are compared, but never leave this module.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import BinaryField, ExpressionWrapper, F, Field, Model, QuerySet

from common.fields import EncryptedJSONField, UndecryptableValue

# A member of the column `changes`: {"field", "old", "new", "is_secret"}.
Change = dict[str, Any]

if TYPE_CHECKING:
    AnyField = Field[Any, Any]
else:
    AnyField = Field

_STORED = "stored_"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A row as it is stored: `values` are JSON values by the names of columns.

    `secrets` are the stored values of secret columns: ciphertexts, if encrypted.
    """

    row: Model
    values: Mapping[str, Any]
    secrets: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedColumns:
    """What is recorded of a model.

    `relations` maps the name of a relation to the columns that name a related row.
    """

    model: type[Model]
    columns: Sequence[AnyField]
    secrets: Sequence[AnyField]
    relations: Mapping[str, Sequence[str]]

    def names(self) -> set[str]:
        """Return the names by which `save(update_fields=…)` may call the columns."""
        fields = (*self.columns, *self.secrets)
        return {f.name for f in fields} | {f.attname for f in fields}

    def read(self, rows: QuerySet[Any], *, is_locked: bool = False) -> dict[Any, State]:
        """Return the states of rows by their keys: one query, and one per relation.

        `is_locked` keeps others from changing the rows until the transaction ends.
        """
        rows = rows.order_by("pk").annotate(
            **{_STORED + f.name: _stored(f) for f in self.secrets}
        )
        rows = rows.defer(*(f.name for f in self.secrets if _is_encrypted(f)))
        if is_locked and connection.in_atomic_block:
            rows = rows.select_for_update(no_key=True, of=("self",))
        found = {row.pk: row for row in rows}
        related = {name: self._related(name, found) for name in self.relations}
        return {
            pk: State(
                row=row,
                values=_as_json(
                    {f.attname: getattr(row, f.attname) for f in self.columns}
                    | {name: sorted(of[pk]) for name, of in related.items()}
                ),
                secrets={f.name: getattr(row, _STORED + f.name) for f in self.secrets},
            )
            for pk, row in found.items()
        }

    def find_changes(self, before: State | None, after: State | None) -> list[Change]:
        """Return what differs; of a new or deleted row, what differs from defaults."""
        empty = {} if before and after else self._defaults()
        old, new = (state.values if state else empty for state in (before, after))
        changes = [
            _change(name, before and old[name], after and new[name])
            for name in new
            if old[name] != new[name]
        ]
        secrets = [f for f in self.secrets if _is_other(f, before, after)]
        return [*changes, *(_change(f.name, None, None, True) for f in secrets)]

    def _related(self, name: str, pks: Iterable[Any]) -> Mapping[Any, list[str]]:
        paths = self.relations[name]
        rows = self.model._base_manager.filter(pk__in=list(pks))
        found = defaultdict(list)
        for pk, *parts in rows.values_list("pk", *paths):
            if None not in parts:
                found[pk].append(".".join(parts))
        return found

    def _defaults(self) -> Mapping[str, Any]:
        columns = {f.attname: f.get_default() for f in self.columns}
        return _as_json(columns | {name: [] for name in self.relations})


def join_changes(earlier: Iterable[Change], later: Iterable[Change]) -> list[Change]:
    """Return what both changes of a row have changed together."""
    joined = {change["field"]: change for change in earlier}
    for change in later:
        first = joined.get(change["field"], change)
        joined[change["field"]] = {**change, "old": first["old"]}
    return [c for c in joined.values() if c["is_secret"] or c["old"] != c["new"]]


def _change(name: str, old: Any, new: Any, is_secret: bool = False) -> Change:
    return {"field": name, "old": old, "new": new, "is_secret": is_secret}


def _as_json(values: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return found


def _is_encrypted(column: AnyField) -> bool:
    return isinstance(column, EncryptedJSONField)


def _stored(column: AnyField) -> Any:
    if _is_encrypted(column):
        return ExpressionWrapper(F(column.name), output_field=BinaryField())
    return F(column.name)


def _is_other(column: AnyField, before: State | None, after: State | None) -> bool:
    """Return whether a secret differs; ciphertexts differ also for equal secrets."""
    if before and after and before.secrets[column.name] == after.secrets[column.name]:
        return False
    try:
        return bool(_plain(column, before) != _plain(column, after))
    except UndecryptableValue:
        return True


def _plain(column: AnyField, state: State | None) -> Any:
    if state is None:
        return column.get_default()
    stored = state.secrets[column.name]
    if isinstance(column, EncryptedJSONField):
        return EncryptedJSONField.from_db_value(column, stored)
    return stored
