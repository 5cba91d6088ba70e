from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Task
from kombu.exceptions import OperationalError

from common.database.errors import error_kind, is_unavailable

logger = logging.getLogger(__name__)


def enqueue(task: Task[Any, Any], *args: object) -> bool:
    """Publish a Celery message; return False if the broker cannot be reached.

    A message is a hint that points at a row, which the sweep finds, too.
    """
    try:
        task.apply_async(args=args)
    except OperationalError:
        logger.warning("The broker does not answer; %s is left to the sweep", task.name)
        return False
    return True


@contextmanager
def left_to_the_sweep(name: str) -> Iterator[None]:
    """Log one line if a Celery task fails because the database is unavailable.

    Its message was a hint: the sweep does the work when the database is available.
    """
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        logger.warning("%s is left to the sweep: %s", name, error_kind(error))
