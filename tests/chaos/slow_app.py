"""The project's Celery app with an agent whose tasks end when the test creates a file.

Messages whose tasks cannot be claimed return to their queue after a second.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from config.celery import app

# isort: split
# The decorator needs Django, which is set up once the app is loaded.
import django

django.setup()

from agents.agent_task import agent_task  # noqa: E402 - needs Django
from agents.runner import hints  # noqa: E402

if TYPE_CHECKING:
    from agents.models import AgentTask

__all__ = ["MAY_END", "NAP", "app"]

NAP = "tests.chaos.slow_app.nap"
# Names the file whose existence ends every nap.
MAY_END = "TESTS_NAPS_MAY_END"
MAX_SECONDS = 120.0
hints.CLAIM_SECONDS = 1.0


@agent_task
def nap(task: AgentTask) -> object:
    deadline = time.monotonic() + MAX_SECONDS
    while not Path(os.environ[MAY_END]).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"attempt": task.attempt}
