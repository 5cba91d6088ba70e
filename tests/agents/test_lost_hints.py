"""The broker loses hints, or a process that had one dies: the sweep sends others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
import redis
from django.db.models import F

from agents.models import Agent, AgentTask, HintSlot, TaskStatus
from agents.services.hints import take_slots
from agents.services.resubmit import resubmit_lost_tasks, submitted_floor
from agents.services.submit import submit_due_tasks, submit_tasks
from tests.agents.brokers import closed_broker as closed_broker
from tests.agents.hinting import broker as broker
from tests.agents.hinting import (
    hinted_agent,
    length,
    ran,
    record_run,
    slots_of,
    take_messages,
    waiting_tasks,
)
from tests.factories import make_agent, make_task
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


def age(*, seconds: float = 20) -> None:
    """Move what was submitted and sent back."""
    ago = timedelta(seconds=seconds)
    HintSlot.objects.update(sent_at=F("sent_at") - ago)
    AgentTask.objects.update(
        submitted_at=F("submitted_at") - ago, next_attempt_at=F("next_attempt_at") - ago
    )
    # The floor does not expect this: no writer moves the times of a task back.
    submitted_floor.forget()


def submitted(agent: Agent, count: int) -> Sequence[AgentTask]:
    tasks = waiting_tasks(agent, count)
    assert submit_tasks([task.id for task in tasks]) == count
    return tasks


def test_hints_of_an_emptied_queue_are_sent_again_once(broker: redis.Redis) -> None:
    agent = hinted_agent()
    submitted(agent, 40)
    broker.flushall()
    assert resubmit_lost_tasks() == 0
    age()

    assert resubmit_lost_tasks() == 8
    assert resubmit_lost_tasks() == 0

    messages = take_messages(broker)
    assert sorted(message["slot"] for message in messages) == list(range(1, 9))
    assert {message["turn"] for message in messages} == {None}
    assert set(AgentTask.objects.values_list("publications", flat=True)) == {1}
    record_run(messages[0])
    assert len(ran) == 40


@pytest.mark.parametrize("seconds", [20, 601, 3000])
def test_hints_that_wait_for_a_worker_are_not_sent_again(
    broker: redis.Redis, seconds: float
) -> None:
    submitted(hinted_agent(), 40)
    age(seconds=seconds)

    assert resubmit_lost_tasks() == 0
    assert submit_due_tasks() == 0

    assert length(broker) == 8


def test_only_the_missing_ones_of_two_agents_with_one_queue_are_sent_again(
    broker: redis.Redis,
) -> None:
    agents = [hinted_agent(), hinted_agent()]
    for agent in agents:
        submitted(agent, 3)
        age()
    broker.rpop("agents", 4)

    assert resubmit_lost_tasks() == 4

    assert length(broker) == 6
    for message in take_messages(broker):
        record_run(message)
    assert not AgentTask.objects.exclude(status=TaskStatus.SUCCEEDED).exists()


def test_a_slot_counts_for_a_minute_unless_the_sweep_renews_it(
    broker: redis.Redis,
) -> None:
    agent = hinted_agent()
    submitted(agent, 8)
    HintSlot.objects.update(period=F("period") - 3)
    resubmit_lost_tasks()
    HintSlot.objects.update(period=F("period") - 3)

    assert take_slots({agent.id: 8}) == []
    HintSlot.objects.update(period=F("period") - 3)
    assert len(take_slots({agent.id: 8})) == 8


def test_tasks_that_wait_without_any_hint_get_one(broker: redis.Redis) -> None:
    """As after the death of a process that had begun the last hint."""
    agent = hinted_agent()
    submitted(agent, 2)
    take_messages(broker)
    HintSlot.objects.all().delete()
    age()

    assert resubmit_lost_tasks() == 2

    assert slots_of(agent) == [1, 2]
    record_run(take_messages(broker)[0])
    assert sorted(ran) == ["0", "1"]


def test_tasks_of_an_earlier_version_run_by_hints_too(broker: redis.Redis) -> None:
    """Tasks that were submitted with a message each, which the broker has lost."""
    agent = hinted_agent()
    tasks = waiting_tasks(agent, 3)
    AgentTask.objects.update(
        status=TaskStatus.SUBMITTED,
        publications=1,
        submitted_at=F("created_at"),
        next_attempt_at=F("created_at") + timedelta(minutes=10),
    )
    age()

    assert resubmit_lost_tasks() == 3

    record_run(take_messages(broker)[0])
    assert len(ran) == len(tasks)


def test_a_queue_of_both_kinds_loses_neither(broker: redis.Redis) -> None:
    hinted = hinted_agent()
    single = make_agent(
        backend="celery", config={"task": "agents.tasks.echo", "queue": "agents"}
    )
    submitted(hinted, 2)
    task = make_task(agent=single)
    submit_tasks([task.id])
    broker.flushall()
    age()

    assert resubmit_lost_tasks() == 3

    kinds = sorted(type(message).__name__ for message in take_messages(broker))
    assert kinds == ["dict", "dict", "str"]


@pytest.mark.usefixtures("closed_broker")
def test_a_hint_that_cannot_be_sent_frees_its_slot() -> None:
    agent = hinted_agent()
    tasks = waiting_tasks(agent, 3)

    assert submit_tasks([task.id for task in tasks]) == 0

    assert slots_of(agent) == []
    statuses = AgentTask.objects.values_list("status", "publications")
    assert list(statuses) == [(TaskStatus.PENDING, 1)] * 3


def test_eight_concurrent_sweeps_send_a_lost_hint_once(broker: redis.Redis) -> None:
    agent = hinted_agent()
    for _ in range(ROUNDS):
        AgentTask.objects.all().delete()
        HintSlot.objects.all().delete()
        submitted(agent, 5)
        broker.flushall()
        age()

        assert sum(race(resubmit_lost_tasks)) == 5

        assert length(broker) == 5
