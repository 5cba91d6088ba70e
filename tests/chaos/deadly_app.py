"""The project's Celery app with one fault: a deadly event kills the worker process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from celery.signals import worker_process_init

from config.celery import app

if TYPE_CHECKING:
    from executions.pipeline.bodies import Body
    from executions.pipeline.matching import Pair
    from executions.pipeline.outcome import Outcome

__all__ = ["DEADLY", "app"]

DEADLY = "kills its worker"


@worker_process_init.connect
def _arm(**_: object) -> None:
    from executions.pipeline import judge, judging

    def evaluate_or_die(pair: Pair, body: Body, *rest: Any, **options: Any) -> Outcome:
        if DEADLY.encode() in body.raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return judge.judge(pair, body, *rest, **options)

    patch.object(judging, "judge", evaluate_or_die).start()
