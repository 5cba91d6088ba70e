"""The database view that is the audit log: all history tables as one.

It is made after each migration from the models that are audited, so a model is added
to the log by its history alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, transaction
from psycopg import sql

from access.audit.records import AuditRecords, audited

_VIEW = sql.Identifier("access_auditlog")
_DROP = sql.SQL("DROP VIEW IF EXISTS {}").format(_VIEW)
# All arms have columns of the same types, and none has a WHERE: only then PostgreSQL
# walks the indexes side by side, newest first, and stops at the end of a page.
_ARM = """
SELECT history_id AS id, history_date AS at, {kind}::text AS object_type,
    object_id::text AS object_id, object_name::text AS object_name,
    object_subject::text AS object_subject,
    CASE history_type
        WHEN '+' THEN 'created' WHEN '-' THEN 'deleted' ELSE 'changed'
    END AS change,
    actor_kind::text AS actor_kind, history_user_id AS actor_id, actor::text AS actor,
    key_prefix::text AS key_prefix, history_change_reason::text AS reason, changes
FROM {table}
"""


def drop_view(using: str, plan: Sequence[Any], **_: Any) -> None:
    """Remove the view before migrations, which cannot change columns that it shows."""
    if plan:
        with connections[using].cursor() as cursor:
            cursor.execute(_DROP)


def create_view(using: str, **_: Any) -> None:
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    arms = [_arm(one) for one in audited.values() if _table(one) in tables]
    if not arms:
        return
    view = sql.SQL("CREATE VIEW {} AS {}")
    with transaction.atomic(using), connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(view.format(_VIEW, sql.SQL(" UNION ALL ").join(arms)))


def _arm(records: AuditRecords) -> sql.Composed:
    table = sql.Identifier(_table(records))
    return sql.SQL(_ARM).format(kind=sql.Literal(records.kind), table=table)


def _table(records: AuditRecords) -> str:
    return str(records.history_model._meta.db_table)
