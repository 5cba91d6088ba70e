"""The Celery app with one fault: evaluating a deadly event kills the process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from celery.signals import worker_process_init

from config.celery import app

if TYPE_CHECKING:
    from executions.pipeline.match import Pair
    from executions.pipeline.parse import Body
    from executions.pipeline.store import NewExecution

__all__ = ["DEADLY", "app"]

DEADLY = "kills the process that evaluates it"


@worker_process_init.connect
def _arm(**_: object) -> None:
    from executions.pipeline import evaluate

    evaluate_pair = evaluate.evaluate_pair

    def evaluate_or_die(
        pair: Pair, body: Body, *rest: Any, **options: Any
    ) -> NewExecution:
        if DEADLY.encode() in body.raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return evaluate_pair(pair, body, *rest, **options)

    patch.object(evaluate, "evaluate_pair", evaluate_or_die).start()
