from __future__ import annotations

import os
import sys

from celery import Celery
from celery.signals import task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tickhook")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Connections outlive a Celery task; the handler below drops only a broken one.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize


@task_prerun.connect
def close_broken_connections(**_: object) -> None:
    from django.db import close_old_connections

    close_old_connections()
