"""What tests read of the audit log."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from access.audit.records import audited
from access.models import AuditLog


def changes_of(row: Model) -> list[AuditLog]:
    """Return the changes of an object, oldest first."""
    log = AuditLog.objects.filter(
        object_type=audited[type(row)].kind, object_id=str(row.pk)
    )
    return list(log.order_by("at", "id"))


def last_of(row: Model, *, number: int) -> AuditLog:
    """Return the last change of an object that has this number of changes."""
    changes = changes_of(row)
    assert len(changes) == number, [c.changes for c in changes]
    return changes[-1]


def values_of(change: AuditLog) -> dict[str, tuple[Any, Any]]:
    """Return the old and new values of the changed columns that are not secret."""
    return {
        c["field"]: (c["old"], c["new"]) for c in change.changes if not c["is_secret"]
    }


def secrets_of(change: AuditLog) -> set[str]:
    """Return the changed secret columns, whose values are never recorded."""
    secret = [c for c in change.changes if c["is_secret"]]
    assert all(c["old"] is None and c["new"] is None for c in secret)
    return {c["field"] for c in secret}


def actor_of(change: AuditLog) -> tuple[str, str, str]:
    return change.actor_kind, change.actor, change.key_prefix


SYSTEM = ("system", "", "")
