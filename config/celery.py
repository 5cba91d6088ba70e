from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_PREFIX = "CELERY_"


def _own_settings() -> dict[str, Any]:
    """Return the CELERY_* settings under Celery's own names.

    Celery's reports and Flower show every setting that Celery has, but mask the URLs of
    Celery's own settings only: with all of Django's they would show passwords.
    """
    from django.conf import settings

    return {
        name.removeprefix(_PREFIX).lower(): getattr(settings, name)
        for name in dir(settings)
        if name.startswith(_PREFIX)
    }


app = Celery("tickhook")
# A promise: Django's settings cannot be read yet while they import this package.
app.add_defaults(_own_settings)
app.autodiscover_tasks()
app.autodiscover_tasks(["webhooks"], related_name="pending_fetches")

# Connections outlive a Celery task; the handler below drops only a broken one.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@worker_init.connect
@beat_init.connect
def refuse_wrong_pooler(**_: object) -> None:
    """End the program if its settings do not fit the pooler of the database."""
    from common import pooling

    try:
        pooling.refuse_wrong_pooler()
    except pooling.StatementsMixedUp as error:
        # Celery logs what a handler raises, and goes on; this it does not catch.
        raise SystemExit(f"Tickhook cannot run: {error}") from error


@worker_init.connect
def start_watchdog(**_: object) -> None:
    """Have the watchdog start with the worker; other programs do not load it."""
    from config import worker_watchdog  # noqa: F401 - connects itself to signals


@task_prerun.connect
def close_broken_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
