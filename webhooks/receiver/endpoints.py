from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import cast
from uuid import UUID

from django.db import connection

from webhooks.models import WebhookEndpoint, WebhookType

# What the door looks at; the rest of an endpoint is for people.
_NAMES = (
    "id",
    "webhook_id",
    "type",
    "secrets",
    "config",
    "allowed_methods",
    "validation_rules",
    "subject",
    "is_active",
)


def find_endpoint(webhook_id: str) -> WebhookEndpoint | None:
    """Return an active endpoint, always as it is now; other columns are deferred.

    With it comes the revision of its type, so that a changed type counts at once.
    The statement is written once: to have the ORM build it anew took a fourth of the
    time that a whole request takes.
    """
    with connection.cursor() as cursor:
        cursor.execute(_find_sql(), [webhook_id])
        row = cursor.fetchone()
    return None if row is None else _from_row(row)


@cache
def _find_sql() -> str:
    columns = ", ".join(f'endpoint."{name}"' for name in _NAMES)
    return (
        f"SELECT {columns}, type.current_id "  # noqa: S608 - names of our own models
        f'FROM "{WebhookEndpoint._meta.db_table}" endpoint '
        f'LEFT JOIN "{WebhookType._meta.db_table}" type ON type.slug = endpoint.type '
        "WHERE endpoint.webhook_id = %s AND endpoint.is_active"
    )


@cache
def _converters() -> list[tuple[int, Callable[..., object]]]:
    """Return how the values of a row are read, by their places."""
    fields = {field.name: field for field in WebhookEndpoint._meta.concrete_fields}
    return [
        (place, convert)
        for place, name in enumerate(_NAMES)
        for convert in fields[name].get_db_converters(connection)
    ]


def _from_row(row: Sequence[object]) -> WebhookEndpoint:
    *values, revision = row
    for place, convert in _converters():
        values[place] = convert(values[place], None, connection)
    endpoint = WebhookEndpoint.from_db(connection.alias, _NAMES, values)
    endpoint.type_revision = cast("UUID | None", revision)  # as its column is
    return endpoint
