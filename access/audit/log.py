"""Selects changes of the audit log."""

from __future__ import annotations

from django.db.models import Q

from access.audit.records import audited

VIEW_AUDIT_LOG = "access.view_auditlog"


def object_types() -> list[str]:
    """Return the words for the kinds of objects whose changes are recorded."""
    return sorted(records.kind for records in audited.values())


def of_subject(subject: str) -> Q:
    """Select the changes of objects that belonged to a subject at that time.

    The change by which an object came to it is left out: it names the other subject.
    """
    kinds = [records.kind for records in audited.values() if records.subject]
    moved = Q(change="changed", changes__contains=[{"field": "subject"}])
    return Q(object_type__in=kinds, object_subject=subject) & ~moved


def by_actor(name: str) -> Q:
    """Select the changes by a user or command of this name, or by a key's prefix."""
    return Q(actor=name) | Q(key_prefix=name)
