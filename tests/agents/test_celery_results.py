from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django_celery_results.managers import TaskResultManager
from django_celery_results.models import TaskResult

from agents.celery_results import ResultBackend
from tests.outages import closed_database, read_only_database

pytestmark = pytest.mark.django_db(transaction=True)


def store(task_id: str) -> None:
    ResultBackend(app=current_app).store_result(task_id, {"done": True}, "SUCCESS")


def stored(task_id: str) -> object:
    return json.loads(TaskResult.objects.get(task_id=task_id).result or "")


def test_the_settings_name_this_backend() -> None:
    assert isinstance(current_app.backend, ResultBackend)


@pytest.mark.parametrize("outage", [read_only_database, closed_database])
def test_a_result_is_left_out_while_the_database_is_unavailable(
    outage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with outage(), caplog.at_level(logging.WARNING, "agents.celery_results"):
        store("first:1")

    store("second:1")
    assert "result of task first:1 is not stored" in caplog.text
    assert "done" not in caplog.text
    assert not TaskResult.objects.filter(task_id="first:1").exists()
    assert stored("second:1") == {"done": True}


def test_a_time_limit_that_strikes_while_a_result_is_stored_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patched:
        patched.setattr(TaskResultManager, "store_result", interrupted)
        store("late:1")

    store("next:1")
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == ["next:1"]
