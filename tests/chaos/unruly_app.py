"""The project's Celery app with an agent whose code does what a program should not do.

Dead workers are found, and processes killed, after a few seconds.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from celery.exceptions import SoftTimeLimitExceeded

from config.celery import app

# isort: split
# The decorator needs Django, which is set up once the app is loaded.
import django

django.setup()

from agents.agent_task import agent_task  # noqa: E402 - needs Django
from agents.backends import celery as backend  # noqa: E402
from agents.services import run, workers  # noqa: E402

if TYPE_CHECKING:
    from agents.models import AgentTask

__all__ = ["NOTES", "OBEY", "app"]

OBEY = "tests.chaos.unruly_app.obey"
# Names the file in which the code notes what it does.
NOTES = "TESTS_UNRULY_NOTES"
DEAD_SECONDS = 5.0

# The test imports this module, too.
if NOTES in os.environ:
    workers.HEARTBEAT_TIMEOUT = timedelta(seconds=DEAD_SECONDS)
    workers._heartbeats._every_seconds = 1.0
    run._DEAD_WORKERS["timeout"] = DEAD_SECONDS
    backend.KILL_AFTER_SECONDS = 1


@agent_task
def obey(task: AgentTask) -> object:
    """Do what the event demands; what ends the process, in the first attempt only."""
    demand = task.parameters["trigger_data"]["body"]
    with Path(os.environ[NOTES]).open("a") as notes:
        notes.write(f"{demand['number']} {task.attempt}\n")
    act = demand["act"]
    if act == "leave":
        raise SystemExit(3)
    if act == "never end":
        _never_end()
    if act == "fork" and (child := os.fork()):
        os.waitpid(child, 0)
    if task.attempt == 1 and act == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.attempt == 1 and act == "vanish":
        os._exit(3)
    time.sleep(demand.get("seconds", 0))
    return {"attempt": task.attempt}


def _never_end() -> None:
    while True:
        try:
            time.sleep(60)
        except SoftTimeLimitExceeded:
            continue
