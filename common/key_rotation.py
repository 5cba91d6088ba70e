"""Re-encrypts stored secrets with the first of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import BinaryField, ExpressionWrapper, F, Model, QuerySet, Value

from common.fields import EncryptedJSONField

BATCH_SIZE = 500

Row = tuple[Any, bytes]


@dataclass(kw_only=True)
class ColumnReport:
    """The rows of an encrypted column before and after a rotation.

    `old` counts the rows that an older key encrypted, `rotated` those that were
    re-encrypted. A row that changed in the meantime is left to the next run.
    """

    column: str
    rows: int = 0
    old: int = 0
    rotated: int = 0
    undecryptable: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """The number of rows that may still need an older key."""
        return self.old - self.rotated


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    model: type[Model]
    name: str

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def rows(self) -> QuerySet[Any]:
        """Return all rows with the stored ciphertext of the column."""
        stored = ExpressionWrapper(F(self.name), output_field=BinaryField())
        return self.model._base_manager.annotate(stored=stored)

    def batches(self) -> Iterator[list[Row]]:
        """Yield batches of the rows that have a value, in the order of their keys."""
        rows = self.rows().filter(stored__isnull=False).order_by("pk")
        batch = list(rows.values_list("pk", "stored")[:BATCH_SIZE])
        while batch:
            yield [(pk, bytes(ciphertext)) for pk, ciphertext in batch]
            later = rows.filter(pk__gt=batch[-1][0])
            batch = list(later.values_list("pk", "stored")[:BATCH_SIZE])

    def replace(self, row: Row, ciphertext: bytes) -> bool:
        """Set the ciphertext of a row; return False if it changed since it was read."""
        pk, before = row
        unchanged = self.rows().filter(pk=pk, stored=before)
        new = Value(ciphertext, output_field=BinaryField())
        return unchanged.update(**{self.name: new}) == 1


def encrypted_columns() -> list[Column]:
    return [
        Column(model=model, name=column.name)
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
        for column in model._meta.local_concrete_fields
        if isinstance(column, EncryptedJSONField)
    ]


def rotate_keys(*, is_dry_run: bool = False) -> list[ColumnReport]:
    """Re-encrypt every encrypted column with the first key; a dry run only counts.

    It can be stopped and run again at any time, also while other programs write.
    """
    return [_rotate(column, is_dry_run) for column in encrypted_columns()]


def _rotate(column: Column, is_dry_run: bool) -> ColumnReport:
    keys = [Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS]
    report = ColumnReport(column=str(column))
    for batch in column.batches():
        others = [row for row in batch if not _is_encrypted_by(keys[:1], row)]
        old = [row for row in others if _is_encrypted_by(keys[1:], row)]
        lost = [str(row[0]) for row in others if not _is_encrypted_by(keys[1:], row)]
        report.rows += len(batch)
        report.old += len(old)
        report.undecryptable += lost
        if not is_dry_run:
            cipher = MultiFernet(keys)
            with transaction.atomic():
                report.rotated += sum(
                    column.replace(row, cipher.rotate(row[1])) for row in old
                )
    return report


def _is_encrypted_by(keys: Sequence[Fernet], row: Row) -> bool:
    """Return whether one of these keys encrypted a row."""
    if not keys:
        return False
    try:
        MultiFernet(keys).decrypt(row[1])
    except InvalidToken:
        return False
    return True
