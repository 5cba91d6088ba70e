"""Django's settings of a PostgreSQL that a URL names."""

from __future__ import annotations

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config.env import database_url

_OURS: dict[str, Any] = {
    # A host that vanished without closing its connections is given up within seconds,
    # so that its successor is found.
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    # Hot statements carry arrays and bodies: bound by the server, planned once.
    "server_side_binding": True,
    "prepare_threshold": 5,
}
_LOCAL = "postgresql://127.0.0.1/tickhook"


def databases() -> dict[str, dict[str, Any]]:
    """Return DATABASES; `clock` is there only if CLOCK_DATABASE_URL is set."""
    found = {
        "default": read_database(
            "DATABASE_URL", database_url("DATABASE_URL", default=_LOCAL)
        )
    }
    if clock := database_url("CLOCK_DATABASE_URL", default=""):
        found["clock"] = read_database("CLOCK_DATABASE_URL", clock)
        found["clock"]["OPTIONS"]["prepare_threshold"] = None
    return found


def read_database(variable: str, url: str) -> dict[str, Any]:
    """Return the settings of one database; options in the URL win over ours."""
    try:
        # PostgreSQL, with connections that a restarted server does not leave broken.
        parsed = dj_database_url.parse(url, engine="common.database", conn_max_age=None)
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable} is not a valid URL") from error
    options = {**_OURS, **(parsed.get("OPTIONS") or {})}
    options["prepare_threshold"] = _threshold(variable, options["prepare_threshold"])
    # A cursor does not survive a pooler that changes the server connection.
    return {**parsed, "OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}


def _threshold(variable: str, value: object) -> int | None:
    if str(value).lower() == "none":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ImproperlyConfigured(
        f"{variable}: prepare_threshold must be `none` or a whole number"
    )
