"""Encrypts anew, with the first of FIELD_ENCRYPTION_KEYS, what older keys encrypted."""

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
    """What was found in an encrypted column, and what became of it.

    `old` counts the rows by an older key, `rotated` those encrypted anew. A row that
    somebody else changed meanwhile is left to the next run.
    """

    column: str
    rows: int = 0
    old: int = 0
    rotated: int = 0
    undecryptable: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many rows, as far as is known, still need an older key."""
        return self.old - self.rotated


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    model: type[Model]
    name: str

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def rows(self) -> QuerySet[Any]:
        """Return all rows with the column's ciphertext as it is stored."""
        stored = ExpressionWrapper(F(self.name), output_field=BinaryField())
        return self.model._base_manager.annotate(stored=stored)

    def batches(self) -> Iterator[list[Row]]:
        """Read the rows that have a value in order of their keys, some at a time."""
        rows = self.rows().filter(stored__isnull=False).order_by("pk")
        batch = list(rows.values_list("pk", "stored")[:BATCH_SIZE])
        while batch:
            yield [(pk, bytes(ciphertext)) for pk, ciphertext in batch]
            later = rows.filter(pk__gt=batch[-1][0])
            batch = list(later.values_list("pk", "stored")[:BATCH_SIZE])

    def replace(self, row: Row, ciphertext: bytes) -> bool:
        """Set a row's ciphertext; return False if it has changed since it was read."""
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
    """Encrypt every encrypted column with the first key; a dry run only counts.

    It can be stopped and run again at any time, beside whatever else is written.
    """
    return [_rotate(column, is_dry_run) for column in encrypted_columns()]


def _rotate(column: Column, is_dry_run: bool) -> ColumnReport:
    keys = [Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS]
    report = ColumnReport(column=str(column))
    for batch in column.batches():
        others = [row for row in batch if not _is_by(keys[:1], row)]
        old = [row for row in others if _is_by(keys[1:], row)]
        lost = [str(row[0]) for row in others if not _is_by(keys[1:], row)]
        report.rows += len(batch)
        report.old += len(old)
        report.undecryptable += lost
        if not is_dry_run:
            report.rotated += _rotate_batch(column, old, MultiFernet(keys))
    return report


def _rotate_batch(column: Column, rows: Sequence[Row], cipher: MultiFernet) -> int:
    with transaction.atomic():
        return sum(column.replace(row, cipher.rotate(row[1])) for row in rows)


def _is_by(keys: Sequence[Fernet], row: Row) -> bool:
    """Whether one of these keys made a row's ciphertext."""
    if not keys:
        return False
    try:
        MultiFernet(keys).decrypt(row[1])
    except InvalidToken:
        return False
    return True
