"""A Celery app that does not use Tickhook's code, as the page on agents shows it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from django.db.models import F
from pytest_django import Settings

from agents.models import AgentTask, TaskStatus
from agents.services.agents import InvalidAgent, save_agent
from agents.services.resubmit import (
    MAX_LOST,
    resubmit_lost_tasks,
    submitted_floor,
)
from agents.services.submit import submit_due_tasks, submit_tasks
from local.embedded.process import kill_group, spawn
from tests.acceptance.waiting import wait_for
from tests.docs.pages import only_block
from tests.factories import make_agent, make_task

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance]

CONFIG = {"task": "crm.remind", "queue": "crm"}
TIMEOUT_SECONDS = 60


@contextmanager
def foreign_worker(folder: Path) -> Iterator[Path]:
    """Run the app of the page in a folder of its own; yield its log."""
    (folder / "crm.py").write_text(only_block("python foreign"))
    log = folder / "worker.log"
    worker = spawn(
        [sys.executable, "-m", "celery", "-A", "crm", "worker", "-c", "1"],
        folder=folder,
        log=log,
        environment={
            "PATH": os.environ["PATH"],
            "CRM_BROKER_URL": project_settings.CELERY_BROKER_URL,
        },
        death_signal=signal.SIGTERM,
    )
    try:
        yield log
    finally:
        kill_group(worker)


def has_logged(log: Path, line: str, *, times: int) -> bool:
    return log.read_text().count(line) == times


def age(*, seconds: float) -> None:
    """Move the last publication of all tasks back."""
    AgentTask.objects.update(
        submitted_at=F("submitted_at") - timedelta(seconds=seconds),
        next_attempt_at=F("next_attempt_at") - timedelta(seconds=20),
    )
    submitted_floor.forget()


def test_a_foreign_celery_app_gets_a_task_six_times_with_one_key(
    tmp_path: Path, settings: Settings
) -> None:
    settings.TICKHOOK_AGENT_TASKS = ["crm.remind"]
    agent = make_agent(backend="celery", config=CONFIG)
    save_agent(agent, config=CONFIG, task_timeout_seconds=TIMEOUT_SECONDS)
    task = make_task(agent=agent)
    line = f"task {task.id}, key {task.idempotency_key}"

    with foreign_worker(tmp_path) as log:
        submit_tasks([task.id])
        for times in range(1, MAX_LOST + 2):
            wait_for(partial(has_logged, log, line, times=times), timeout_seconds=60)
            age(seconds=1000 if times <= MAX_LOST else 20)
            assert resubmit_lost_tasks() == (1 if times <= MAX_LOST else 0)
        assert submit_due_tasks() == 0

    task.refresh_from_db()
    assert task.status == TaskStatus.SUBMITTED
    age(seconds=TIMEOUT_SECONDS)
    assert resubmit_lost_tasks() == 0
    task.refresh_from_db()
    assert task.status == TaskStatus.TIMEOUT
    assert task.error == (
        "No worker claimed the task, but its message left the queue 6 times. Only a "
        "Celery task that is an @agent_task claims its task "
        "(docs/celery-and-flower.md)."
    )


def test_a_foreign_celery_task_must_be_on_the_list(settings: Settings) -> None:
    settings.TICKHOOK_AGENT_TASKS = ["agents.tasks.echo"]

    with pytest.raises(InvalidAgent) as refusal:
        save_agent(make_agent(backend="celery"), config=CONFIG)

    assert "Must be one of TICKHOOK_AGENT_TASKS" in str(refusal.value)
