from __future__ import annotations

import logging
from typing import Any

from celery import Task
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
