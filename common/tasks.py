from __future__ import annotations

import logging
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue(task: Task[Any, Any], *args: object) -> bool:
    """Publish a Celery message; False if the broker can't be reached.

    A message is a hint: what it points at is a row, and a sweep finds that too.
    """
    try:
        task.apply_async(args=args)
    except OperationalError:
        logger.warning("The broker does not answer; %s is left to the sweep", task.name)
        return False
    return True


def enqueue_on_commit(task: Task[Any, Any], *args: object) -> None:
    """Publish once the current transaction has committed, or now outside of one."""
    transaction.on_commit(lambda: enqueue(task, *args), robust=True)
