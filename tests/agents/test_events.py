"""Celery's events of agent tasks, as Flower receives them."""

from __future__ import annotations

import json
import socket

import pytest
import redis
from celery import Celery, current_app
from django.conf import settings

from agents.agent_task import agent_task
from agents.models import AgentTask
from agents.runner import events as module
from agents.services.submit import submit_tasks
from tests.acceptance.waiting import wait_for
from tests.agents.celery_events import captured_events
from tests.agents.hinting import broker as broker
from tests.agents.hinting import hinted_agent, take_messages, waiting_tasks

pytestmark = pytest.mark.django_db(transaction=True)


@agent_task
def fail_the_second(task: AgentTask) -> object:
    if task.title == "1":
        raise LookupError("of a customer")
    return {"secret": task.title}


@pytest.fixture(autouse=True)
def _send_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_enabled", True)


def test_each_task_has_its_events_and_the_message_none(broker: redis.Redis) -> None:
    agent = hinted_agent(fail_the_second)
    tasks = waiting_tasks(agent, 2)
    submit_tasks([task.id for task in tasks])
    [message, _] = take_messages(broker)

    with captured_events(current_app) as events:
        fail_the_second(message)
        wait_for(lambda: len(events) >= 6, timeout_seconds=30)

    kinds = [(e["type"], e["uuid"]) for e in events if e["type"] != "task-started"]
    ids = [str(task.id) for task in tasks]
    assert kinds == [
        ("task-received", ids[0]),
        ("task-succeeded", ids[0]),
        ("task-received", ids[1]),
        ("task-failed", ids[1]),
    ]
    assert events[0]["args"] == repr((ids[0], agent.name, "0"))
    assert events[0]["name"] == fail_the_second.name
    assert events[-1]["exception"] == "LookupError"
    assert "customer" not in json.dumps(events)
    assert "secret" not in json.dumps(events)


def test_events_that_the_broker_does_not_accept_are_dropped(
    broker: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    [task] = waiting_tasks(hinted_agent(fail_the_second), 1)
    submit_tasks([task.id])
    [message] = take_messages(broker)

    with socket.socket() as unused, Celery(set_as_current=False) as app:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        app.conf.update(
            broker_url=url,
            broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        )
        monkeypatch.setattr(module, "current_app", app)
        fail_the_second(message)

    task.refresh_from_db()
    assert task.status == "succeeded"
    assert "events are lost" in caplog.text
