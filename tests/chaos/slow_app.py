"""The project's Celery app with one more agent, whose code takes a few seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from config.celery import app

# isort: split
# The decorator needs a Django that is set up, as it is once the app is loaded.
import django

django.setup()

from agents.agent_task import agent_task  # noqa: E402 - needs what was just set up

if TYPE_CHECKING:
    from agents.models import AgentTask

__all__ = ["NAP", "NAP_SECONDS", "app"]

NAP = "tests.chaos.slow_app.nap"
NAP_SECONDS = 2.0


@agent_task
def nap(task: AgentTask) -> object:
    time.sleep(NAP_SECONDS)
    return {"attempt": task.attempt}
