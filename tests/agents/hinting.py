"""Agents whose workers read hints, and the messages in their queues."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from celery import Task
from django.conf import settings

from agents.agent_task import agent_task
from agents.models import Agent, AgentTask, HintSlot
from agents.services.hints import announce_tasks
from tests.factories import make_agent, make_task

QUEUE = "agents"


@agent_task
def record_run(task: AgentTask) -> object:
    """The code of the agents here: notes which task runs."""
    ran.append(task.title)
    return task.title


ran: list[str] = []


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    ran.clear()
    with closing(redis.Redis.from_url(settings.REDIS_URL)) as client:
        yield client


def hinted_agent(
    code: Task[Any, Any] = record_run, *, queue: str = QUEUE, **fields: Any
) -> Agent:
    """Return an agent whose Celery task the workers of its queue have announced."""
    if code.name not in settings.TICKHOOK_AGENT_TASKS:
        settings.TICKHOOK_AGENT_TASKS.append(code.name)
    announce_tasks([queue], hinted=[code.name], others=[])
    config = {"task": code.name, "queue": queue}
    return make_agent(backend="celery", config=config, **fields)


def waiting_tasks(agent: Agent, count: int, **fields: Any) -> list[AgentTask]:
    return [make_task(agent=agent, title=f"{n}", **fields) for n in range(count)]


def take_messages(broker: redis.Redis, queue: str = QUEUE) -> list[Any]:
    """Remove the messages of a queue; return their arguments, the oldest first."""
    found: list[Any] = []
    while raw := broker.rpop(queue):
        message: Any = json.loads(str(raw, "utf-8"))  # type: ignore[arg-type]  # bytes
        [[argument], *_] = json.loads(b64decode(message["body"]))
        found.append(argument)
    return found


def length(broker: redis.Redis, queue: str = QUEUE) -> int:
    messages: Any = broker.llen(queue)
    return int(messages)


def slots_of(agent: Agent) -> list[int]:
    rows = HintSlot.objects.filter(agent=agent).order_by("slot")
    return list(rows.values_list("slot", flat=True))
