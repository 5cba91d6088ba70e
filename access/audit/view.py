"""The database view that is the audit log: all history tables as one."""

from __future__ import annotations

from typing import Any

from django.db import connections
from psycopg import sql

from access.audit.records import AuditRecords, audited

VIEW = "access_auditlog"

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


def create_view(using: str, **_: Any) -> None:
    """Create the view anew from the models that are audited; after each migration.

    So a model is added to the log by its history alone.
    """
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    arms = [_arm(one) for one in audited.values() if _table(one) in tables]
    if not arms:
        return
    union = sql.SQL(" UNION ALL ").join(arms)
    view = sql.Identifier(VIEW)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(view, union))


def _arm(records: AuditRecords) -> sql.Composed:
    table = sql.Identifier(_table(records))
    return sql.SQL(_ARM).format(kind=sql.Literal(records.kind), table=table)


def _table(records: AuditRecords) -> str:
    return str(records.history_model._meta.db_table)
