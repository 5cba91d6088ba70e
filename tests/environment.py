"""Starts the servers that the tests talk to, before Django reads its settings.

DATABASE_URL and REDIS_URL of the caller are not used: tests empty what they find.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from cryptography.fernet import Fernet

from local.embedded import embedded_servers

_running = ExitStack()


def start_servers() -> None:
    """Start PostgreSQL and Valkey and point the settings at them; both end with us."""
    atexit.register(_running.close)
    folder = Path(_running.enter_context(tempfile.TemporaryDirectory(prefix="th-")))
    servers = _running.enter_context(embedded_servers(folder, throw_away=True))
    os.environ.update(
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        SECRET_KEY="tests",  # noqa: S106 - of throw-away servers
        FIELD_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        ALLOWED_HOSTS="localhost,127.0.0.1,testserver",
        PUBLIC_URL="http://testserver",
    )
    for name in (
        "CELERY_BROKER_URL",
        "DEBUG",
        "FLOWER_BASIC_AUTH",
        "FLOWER_UNAUTHENTICATED",
        "TICKHOOK_ALLOWED_NETWORKS",
        "TRUSTED_PROXIES",
    ):
        os.environ.pop(name, None)
