"""Reads the audit log."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from access.audit.records import audited
from access.models import AuditLog


def object_types() -> list[str]:
    """Return the words for the kinds of objects whose changes are recorded."""
    return sorted(records.kind for records in audited.values())


def read_log(*, subject: str = "") -> QuerySet[AuditLog]:
    """Return all changes, newest first.

    With a subject, only those of objects that belong to it. The change by which an
    object came to it is left out, because it names the other subject.
    """
    rows = AuditLog.objects.all()
    if not subject:
        return rows
    kinds = [records.kind for records in audited.values() if records.subject]
    moved = Q(change="changed", changes__contains=[{"field": "subject"}])
    return rows.filter(object_type__in=kinds, object_subject=subject).exclude(moved)


def changes_by(rows: QuerySet[AuditLog], name: str) -> QuerySet[AuditLog]:
    """Return the changes by a user or command of this name, or by a key's prefix."""
    return rows.filter(Q(actor=name) | Q(key_prefix=name))
