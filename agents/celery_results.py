"""The result backend of Celery: the table of django-celery-results."""

from __future__ import annotations

import logging
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error
from django_celery_results.backends.database import DatabaseBackend

from common.database.errors import drop_connection

logger = logging.getLogger(__name__)


class ResultBackend(DatabaseBackend):  # type: ignore[misc]  # is untyped
    """Stores what agents return, for Celery's own tools.

    The result that counts is that of the AgentTask. So a row that the database does not
    accept is left out: an exception here could end the worker.
    """

    def _store_result(self, task_id: str, result: Any, *args: Any, **given: Any) -> Any:
        try:
            return super()._store_result(task_id, result, *args, **given)
        except (Error, SoftTimeLimitExceeded) as error:
            drop_connection()
            logger.warning(
                "Celery's result of task %s is not stored: %s",
                task_id,
                type(error).__name__,
            )
            return result
