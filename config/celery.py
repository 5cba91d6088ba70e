from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import task_prerun

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

# Connections outlive a Celery task; the handler below drops only a broken one.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@task_prerun.connect
def close_broken_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
