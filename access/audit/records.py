"""Records the changes of models: one row per change, in a history table per model.

A model is audited with one line: `history = AuditRecords(kind="…")`. Its rows are then
recorded by signals, in the transaction of the change, if that has one: `save()` outside
of a transaction commits the change first. What is written without signals is recorded
by `record_update`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, pre_delete, pre_save
from django.utils import timezone

from access.actors import current_actor, current_reason, current_records
from access.audit.states import AuditedColumns, Change, State, join_changes
from access.audit.tables import CHANGED, CREATED, DELETED, HistoryTable

# Attributes of rows between two signals.
_BEFORE = "_audit_before"
_MEMBERS = "_audit_members"


class AuditRecords(HistoryTable):
    """The history of a model; a row of it is one change.

    `kind` is the word for the model in the log. `excluded` columns are not recorded: a
    write of only those is no change. Of `secrets` the history only says that they
    changed. `relations` maps the name of a relation to the columns that name a related
    row: changes of many-to-many fields are recorded by signals, those of others by
    `record_update`. `subject` is the column of the row's subject, and `deleted_at` that
    of a model whose rows are deleted by setting it.
    """

    def __init__(
        self,
        *,
        kind: str,
        excluded: Sequence[str] = (),
        secrets: Sequence[str] = (),
        relations: Mapping[str, Sequence[str]] | None = None,
        subject: str = "",
        deleted_at: str = "",
    ) -> None:
        self.deleted_at = deleted_at
        self._secrets = secrets
        self._relations = relations or {}
        super().__init__(
            kind=kind,
            excluded=[*excluded, *secrets, *filter(None, [deleted_at])],
            relations=list(self._relations),
            subject=subject,
        )

    def register(self, model: type[Model], *, module: str) -> None:
        """Audit a model of another package; the history table belongs to `module`."""
        self.manager_name, self.module, self.cls = "history", module, model
        self.finalize(model)

    def finalize(self, sender: type[Model], **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if sender is not self.cls:
            return
        self.model = sender
        self.history_model = getattr(sender, self.manager_name).model
        recorded = [f for f in self.history_model.tracked_fields if not f.primary_key]
        self.columns = AuditedColumns(
            model=sender,
            columns=recorded,
            secrets=[f for f in sender._meta.fields if f.name in self._secrets],
            relations=self._relations,
        )
        audited[sender] = self
        pre_save.connect(self.pre_save, sender=sender, weak=False)
        for field in sender._meta.local_many_to_many:
            if field.name in self._relations:
                self._connect_relation(field)

    def pre_save(
        self,
        instance: Model,
        raw: bool,
        update_fields: Iterable[str] | None,
        **_: Any,
    ) -> None:
        is_recorded = update_fields is None or self.columns.names() & set(update_fields)
        if not raw and is_recorded and not instance._state.adding:
            _stash(instance, _BEFORE, self._read([instance.pk], is_locked=True))

    def post_save(self, instance: Model, created: bool, raw: bool, **_: Any) -> None:
        before = _unstash(instance, _BEFORE)
        if not raw and (created or before):
            self._record_all(before, [instance.pk])

    def pre_delete(self, instance: Model, **_: Any) -> None:
        if not self._is_deleted(instance):
            _stash(instance, _BEFORE, self._read([instance.pk]))

    def post_delete(self, instance: Model, **_: Any) -> None:
        for state in _unstash(instance, _BEFORE).values():
            self._record(state, None)

    def record_updates(self, old: Mapping[Any, Mapping[str, Any]]) -> None:
        """Record what a statement has changed; `old` are the values it replaced."""
        for pk, after in self._read(list(old)).items():
            values = {**after.values, **old[pk]}
            before = State(row=after.row, values=values, secrets=after.secrets)
            self._record(before, after)

    def _connect_relation(self, field: Any) -> None:
        """Record changes of a relation, also when a related row is deleted."""
        connect: Callable[..., Any] = partial(m2m_changed.connect, weak=False)
        connect(
            partial(self._relation_changed, field.name),
            sender=field.remote_field.through,
        )
        related = field.remote_field.model
        for signal, receiver in (
            (pre_delete, self._related_deleting),
            (post_delete, self._related_deleted),
        ):
            signal.connect(partial(receiver, field.name), sender=related, weak=False)

    def _relation_changed(
        self,
        name: str,
        instance: Model,
        action: str,
        reverse: bool,
        pk_set: Iterable[Any] | None,
        **_: Any,
    ) -> None:
        if action.startswith("post_"):
            before = _unstash(instance, _BEFORE)
            self._record_all(before, before)
        elif not reverse:
            _stash(instance, _BEFORE, self._read([instance.pk], is_locked=True))
        elif pk_set is not None:
            _stash(instance, _BEFORE, self._read(list(pk_set), is_locked=True))
        else:
            members = self._members(name, instance)
            _stash(instance, _BEFORE, self.columns.read(members))

    def _related_deleting(self, name: str, instance: Model, **_: Any) -> None:
        members = self.columns.read(self._members(name, instance))
        _stash(instance, f"{_MEMBERS}_{self.kind}_{name}", members)

    def _related_deleted(self, name: str, instance: Model, **_: Any) -> None:
        before = _unstash(instance, f"{_MEMBERS}_{self.kind}_{name}")
        self._record_all(before, before)

    def _members(self, relation: str, related: Model) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model._base_manager.filter(**{relation: related})
        return rows

    def _read(self, pks: Sequence[Any], *, is_locked: bool = False) -> dict[Any, State]:
        rows = self.model._base_manager.filter(pk__in=pks)
        return self.columns.read(rows, is_locked=is_locked)

    def _record_all(self, before: Mapping[Any, State], pks: Iterable[Any]) -> None:
        """Record how the rows differ from what they were before."""
        for pk, after in self._read(list(pks)).items():
            self._record(before.get(pk), after)

    def _record(self, before: State | None, after: State | None) -> None:
        """Insert the record of a change, or add it to the one that the block has."""
        state = after or before
        if state is None or (before and self._is_deleted(before.row)):
            return
        if after and self._is_deleted(after.row):
            after = None
        changes = self.columns.find_changes(before, after)
        kind = CHANGED if before and after else CREATED if after else DELETED
        if kind == CHANGED and not changes:
            return
        row, records = self._make_row(state, kind, changes), current_records()
        key = (self.kind, row.object_id)
        if records and kind == CHANGED and self._extend(records.get(key), row):
            return
        row.save(force_insert=True)
        if records is not None:
            records[key] = row.history_id

    def _extend(self, earlier_id: Any, row: Any) -> bool:
        """Replace an earlier record by one of both changes; return whether it exists.

        It does not if its savepoint was rolled back.
        """
        earlier = self.history_model.objects.filter(pk=earlier_id).first()
        if earlier is None or earlier.history_type == DELETED:
            return False
        row.history_id, row.history_type = earlier.history_id, earlier.history_type
        row.history_date = earlier.history_date
        row.history_change_reason = earlier.history_change_reason or current_reason()
        row.changes = join_changes(earlier.changes, row.changes)
        if row.history_type == CREATED:
            row.changes = [{**change, "old": None} for change in row.changes]
        row.save(force_update=True)
        return True

    def _make_row(self, state: State, kind: str, changes: list[Change]) -> Any:
        actor = current_actor()
        recorded = self.history_model.tracked_fields
        return self.history_model(
            history_date=timezone.now(),
            history_type=kind,
            history_change_reason=current_reason(),
            history_user_id=actor.user_id,
            object_id=str(state.row.pk),
            object_name=str(state.row),
            object_subject=state.values[self.subject] if self.subject else "",
            actor_kind=actor.kind,
            actor=actor.name,
            key_prefix=actor.key_prefix,
            changes=changes,
            **{f.attname: getattr(state.row, f.attname) for f in recorded},
            **{name: state.values[name] for name in self._relations},
        )

    def _is_deleted(self, row: Model) -> bool:
        return bool(self.deleted_at) and getattr(row, self.deleted_at) is not None


class UserRecords(AuditRecords):
    """The history of users, without the hashes that Django renews by itself."""

    def pre_save(
        self,
        instance: Model,
        raw: bool,
        update_fields: Iterable[str] | None,
        **kwargs: Any,
    ) -> None:
        """Ignore a stronger hash of the same password, which a login stores."""
        # Django's `set_password` keeps the new password here until it is stored.
        is_new = getattr(instance, "_password", None) is not None
        if is_new or set(update_fields or ()) != {"password"}:
            super().pre_save(instance, raw, update_fields, **kwargs)


audited: dict[type[Model], AuditRecords] = {}


def record_update(model: type[Model], pk: Any, *, old: Mapping[str, Any]) -> None:
    """Record a change that a statement made without signals.

    `old` are the values that it replaced, by the names of columns.
    """
    record_updates(model, {pk: old})


def record_updates(model: type[Model], old: Mapping[Any, Mapping[str, Any]]) -> None:
    """Record the changes of several rows: `old` maps their keys to replaced values."""
    audited[model].record_updates(old)


def _stash(instance: Model, name: str, states: Mapping[Any, State]) -> None:
    instance.__dict__[name] = states


def _unstash(instance: Model, name: str) -> Mapping[Any, State]:
    states: Mapping[Any, State] = instance.__dict__.pop(name, {})
    return states
