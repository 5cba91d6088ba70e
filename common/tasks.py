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
    """Publish a Celery message; False if the broker can't be reached.

    A message is a hint: what it points at is a row, and a sweep finds that too.
    """
    try:
        task.apply_async(args=args)
    except OperationalError:
        logger.warning("The broker does not answer; %s is left to the sweep", task.name)
        return False
    return True


@contextmanager
def left_to_the_sweep(name: str) -> Iterator[None]:
    """End a Celery task that found no database with one line in the log.

    Its message was a hint: the sweep does the work once the database is back.
    """
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        logger.warning("%s is left to the sweep: %s", name, error_kind(error))
