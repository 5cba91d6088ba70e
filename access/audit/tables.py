"""The history tables: one per audited model, made by django-simple-history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Model, Q

from common.ids import uuid7

if TYPE_CHECKING:

    class HistoricalRecords:
        """django-simple-history has no types."""

        manager_name: str
        cls: type[Model]

        def __init__(self, **options: Any) -> None: ...
        def finalize(self, sender: type[Model], **kwargs: Any) -> None: ...
        def copy_fields(self, model: type[Model]) -> dict[str, Any]: ...
        def get_extra_fields(self, model: type[Model], fields: Any) -> Any: ...
        def get_meta_options(self, model: type[Model]) -> dict[str, Any]: ...
else:
    from simple_history.models import HistoricalRecords

CREATED, CHANGED, DELETED = "+", "~", "-"

_NEWEST = ("history_date", "history_id")


class AuditRow(models.Model):
    """The columns that all history tables share; the view of the log reads them.

    `history_user_id` is a plain number, so that users can be deleted.
    """

    object_id = models.CharField(max_length=64)
    object_name = models.TextField()
    object_subject = models.CharField(max_length=255)
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    key_prefix = models.CharField(max_length=20)
    changes = models.JSONField()

    class Meta:
        abstract = True


class HistoryTable(HistoricalRecords):
    """Adds the history table of a model: its recorded columns, and those of AuditRow.

    Of `relations` it has the names of the related rows. No column is a foreign key
    that the database checks, and only what the log is searched by has an index.
    """

    def __init__(
        self,
        *,
        kind: str,
        excluded: Sequence[str],
        relations: Sequence[str],
        subject: str,
    ) -> None:
        self.kind = kind
        self.subject = subject
        self._names = relations
        super().__init__(
            bases=(AuditRow,),
            excluded_fields=excluded,
            history_id_field=models.UUIDField(default=uuid7),
            history_change_reason_field=models.TextField(),
            history_user_id_field=models.IntegerField(null=True),
        )

    def copy_fields(self, model: type[Model]) -> dict[str, Any]:
        fields = super().copy_fields(model)
        for column in fields.values():
            column.db_index = False
        return fields

    def get_extra_fields(self, model: type[Model], fields: Any) -> dict[str, Any]:
        extra = super().get_extra_fields(model, fields)
        extra["history_date"].db_index = False
        return {**extra, **{n: models.JSONField(default=list) for n in self._names}}

    def get_meta_options(self, model: type[Model]) -> dict[str, Any]:
        indexes = [
            self._index("date"),
            self._index("object", "object_id"),
            self._index("actor", "actor"),
            self._index("key", "key_prefix", condition=~Q(key_prefix="")),
        ]
        if self.subject:
            has_subject = ~Q(object_subject="")
            of_subject = self._index("subject", "object_subject", condition=has_subject)
            indexes.append(of_subject)
        options = super().get_meta_options(model)
        return {**options, "indexes": indexes, "default_permissions": ()}

    def _index(self, name: str, *columns: str, condition: Q | None = None) -> Any:
        """Return an index in which the newest of equal columns can be found."""
        return models.Index(
            fields=(*columns, *_NEWEST),
            condition=condition,
            name=f"{self.kind}_audit_{name}",
        )
