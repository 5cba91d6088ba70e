from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_execution() RETURNS trigger AS $$
BEGIN
    IF NEW.{column} = '{value}' AND NEW.status <> 'failed' THEN
        RAISE EXCEPTION 'refused' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql
"""


@contextmanager
def refused_executions(
    column: str, value: UUID, *, state: str = "P0001"
) -> Iterator[None]:
    """Make PostgreSQL reject executions of one event or trigger unless they failed."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION.format(column=column, value=value, state=state))
        cursor.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON executions_triggerexecution "
            "FOR EACH ROW EXECUTE FUNCTION refuse_execution()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_execution CASCADE")
