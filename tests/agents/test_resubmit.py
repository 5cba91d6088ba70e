from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from django.conf import settings as project_settings
from django.db.models import F
from pytest_django import Settings

from agents.models import Agent, AgentTask, TaskStatus, Worker
from agents.services.resubmit import (
    MAX_LOST,
    resubmit_lost_tasks,
    submitted_floor,
)
from agents.services.run import claim_task, resubmit_tasks_of_dead_workers
from agents.services.submit import submit_due_tasks, submit_tasks
from tests.agents.brokers import closed_broker as closed_broker
from tests.factories import make_agent, make_task
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "agents"


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(project_settings.REDIS_URL)) as client:
        yield client


def celery_agent(queue: str = QUEUE) -> Agent:
    config = {"task": "agents.tasks.echo", "queue": queue}
    return make_agent(backend="celery", config=config)


def submitted(agent: Agent, count: int, *, seconds_ago: float = 20) -> list[AgentTask]:
    """Return tasks that were submitted some time ago, a millisecond apart."""
    tasks = [make_task(agent=agent) for _ in range(count)]
    assert submit_tasks([task.id for task in tasks]) == count
    for n, task in enumerate(tasks):
        ago = timedelta(seconds=seconds_ago, milliseconds=-n)
        AgentTask.objects.filter(pk=task.pk).update(
            submitted_at=F("submitted_at") - ago,
            next_attempt_at=F("next_attempt_at") - ago,
        )
    # The floor does not expect this: no writer moves the times of a task back.
    submitted_floor.forget()
    return tasks


def publications() -> list[int]:
    rows = AgentTask.objects.order_by("id")
    return list(rows.values_list("publications", flat=True))


def length(broker: redis.Redis, queue: str = QUEUE) -> int:
    messages: Any = broker.llen(queue)
    return int(messages)


def test_tasks_of_an_emptied_queue_are_published_again_once(
    broker: redis.Redis,
) -> None:
    submitted(celery_agent(), 5)
    broker.flushall()

    assert resubmit_lost_tasks() == 5
    assert resubmit_lost_tasks() == 0

    assert length(broker) == 5
    assert publications() == [2] * 5


@pytest.mark.parametrize("seconds_ago", [20, 601, 3000])
def test_tasks_that_wait_for_a_worker_are_not_published_again(
    broker: redis.Redis, seconds_ago: float
) -> None:
    submitted(celery_agent(), 5, seconds_ago=seconds_ago)

    assert resubmit_lost_tasks() == 0
    assert submit_due_tasks() == 0

    assert length(broker) == 5
    assert publications() == [1] * 5


def test_as_many_of_the_oldest_tasks_are_published_again_as_messages_are_lost(
    broker: redis.Redis,
) -> None:
    submitted(celery_agent(), 5)
    broker.rpop(QUEUE, 2)

    assert resubmit_lost_tasks() == 2

    assert length(broker) == 5
    assert publications() == [2, 2, 1, 1, 1]


def test_only_tasks_of_the_queue_that_lost_messages_are_published_again(
    broker: redis.Redis,
) -> None:
    submitted(celery_agent(), 2)
    submitted(celery_agent(), 1)
    submitted(celery_agent("shop"), 3)
    broker.delete("shop")

    assert resubmit_lost_tasks() == 3

    assert (length(broker), length(broker, "shop")) == (3, 3)
    assert publications() == [1, 1, 1, 2, 2, 2]


def test_messages_of_all_priorities_count(broker: redis.Redis) -> None:
    submitted(celery_agent(), 3)
    for priority in (3, 6, 9):
        broker.lmove(QUEUE, f"{QUEUE}\x06\x16{priority}")

    assert resubmit_lost_tasks() == 0


def test_a_task_that_was_just_submitted_is_not_published_again(
    broker: redis.Redis,
) -> None:
    submitted(celery_agent(), 3, seconds_ago=0)
    broker.flushall()

    assert resubmit_lost_tasks() == 0


def test_a_task_that_a_worker_has_started_is_not_published_again(
    broker: redis.Redis,
) -> None:
    [task] = submitted(celery_agent(), 1)
    broker.flushall()
    assert claim_task(task_id=task.id) is not None

    assert resubmit_lost_tasks() == 0


@pytest.mark.parametrize(
    ("times_published", "too_early", "late_enough"),
    [(2, 2, 16), (3, 17, 31), (4, 32, 61), (8, 482, 601), (50, 482, 601)],
)
def test_a_task_that_never_starts_is_published_at_growing_intervals(
    broker: redis.Redis, times_published: int, too_early: int, late_enough: int
) -> None:
    for seconds_ago, again in ((too_early, 0), (late_enough, 1)):
        submitted(celery_agent(), 1, seconds_ago=seconds_ago)
        AgentTask.objects.update(publications=times_published)
        broker.flushall()

        assert resubmit_lost_tasks() == again
        AgentTask.objects.all().delete()


def lose(broker: redis.Redis, seconds_ago: float = 1000) -> None:
    """Delete all messages, and move the last publication back."""
    broker.flushall()
    ago = timedelta(seconds=seconds_ago)
    AgentTask.objects.update(
        submitted_at=F("submitted_at") - ago,
        # Moves less, because a task that comes due is submitted for that reason.
        next_attempt_at=F("next_attempt_at") - timedelta(seconds=20),
    )
    submitted_floor.forget()


def test_a_task_that_is_never_claimed_is_sent_six_times_and_times_out(
    broker: redis.Redis,
) -> None:
    [task] = submitted(celery_agent(), 1)
    for _ in range(MAX_LOST):
        lose(broker)
        assert resubmit_lost_tasks() == 1

    lose(broker)
    assert resubmit_lost_tasks() == 0
    task.refresh_from_db()
    assert (task.status, task.publications) == (TaskStatus.SUBMITTED, 6)

    lose(broker, task.agent.task_timeout_seconds)
    assert resubmit_lost_tasks() == 0
    task.refresh_from_db()
    assert task.status == TaskStatus.TIMEOUT
    assert "its message left the queue 6 times" in task.error
    assert "@agent_task" in task.error
    assert length(broker) == 0


def test_a_task_that_was_often_lost_does_not_end_while_its_message_waits(
    broker: redis.Redis,
) -> None:
    [task] = submitted(celery_agent(), 1, seconds_ago=90_000)
    AgentTask.objects.update(lost_messages=MAX_LOST)

    assert resubmit_lost_tasks() == 0
    assert submit_due_tasks() == 0

    task.refresh_from_db()
    assert (task.status, length(broker)) == (TaskStatus.SUBMITTED, 1)


def test_a_task_that_is_given_up_does_not_make_others_count_as_lost(
    broker: redis.Redis,
) -> None:
    given_up, *_ = submitted(celery_agent(), 3)
    AgentTask.objects.filter(pk=given_up.pk).update(lost_messages=MAX_LOST)
    broker.rpop(QUEUE)

    assert resubmit_lost_tasks() == 0

    assert publications() == [1, 1, 1]


def test_the_attempt_after_a_dead_worker_is_published_again_as_often(
    broker: redis.Redis,
) -> None:
    [task] = submitted(celery_agent(), 1)
    AgentTask.objects.update(lost_messages=MAX_LOST)
    assert claim_task(task_id=task.id) is not None
    Worker.objects.update(seen_at=F("seen_at") - timedelta(minutes=1))

    assert resubmit_tasks_of_dead_workers() == 1

    task.refresh_from_db()
    assert (task.attempt, task.lost_messages) == (2, 0)


def test_messages_of_other_programs_hide_a_loss_for_an_hour_at_most(
    broker: redis.Redis,
) -> None:
    submitted(celery_agent(), 1, seconds_ago=3601)

    assert resubmit_lost_tasks() == 0
    assert submit_due_tasks() == 1

    assert publications() == [2]


@pytest.mark.usefixtures("closed_broker")
def test_an_unreachable_broker_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = [make_task(agent=celery_agent()) for _ in range(2)]
    ago = timedelta(seconds=20)
    AgentTask.objects.update(status=TaskStatus.SUBMITTED, publications=1)
    AgentTask.objects.update(
        submitted_at=F("created_at") - ago,
        next_attempt_at=F("created_at") - ago + timedelta(minutes=10),
    )

    assert resubmit_lost_tasks() == 0
    assert submit_due_tasks() == 0

    assert publications() == [1] * len(tasks)
    assert "The broker did not return the lengths of its queues" in caplog.text


def test_an_agent_whose_secret_cannot_be_read_does_not_stop_the_others(
    broker: redis.Redis, settings: Settings
) -> None:
    agents = [celery_agent() for _ in range(3)]
    for agent in agents:
        submitted(agent, 1)
    broker.flushall()
    agents[0].backend = "gone"
    agents[0].save(update_fields=["backend"])
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    agents[2].config = {"task": "agents.tasks.echo"}
    agents[2].save(update_fields=["config"])

    assert resubmit_lost_tasks() == 1
    assert publications() == [1, 1, 2]


def test_tasks_of_a_backend_without_a_queue_are_not_published_again() -> None:
    submitted(make_agent(), 2)

    assert resubmit_lost_tasks() == 0


def test_eight_concurrent_sweeps_publish_a_lost_task_once(broker: redis.Redis) -> None:
    agent = celery_agent()
    for _ in range(ROUNDS):
        AgentTask.objects.all().delete()
        submitted(agent, 5)
        broker.flushall()

        assert sum(race(resubmit_lost_tasks)) == 5

        assert length(broker) == 5
        assert publications() == [2] * 5


def test_one_request_to_the_broker_covers_all_waiting_tasks(
    broker: redis.Redis,
) -> None:
    agent = celery_agent()
    looks = []
    for count in (1, 40):
        submitted(agent, count)
        broker.config_resetstat()
        assert resubmit_lost_tasks() == 0
        statistics: Any = broker.info("commandstats")
        looks.append(statistics["cmdstat_llen"]["calls"])

    assert looks[0] == looks[1]


def test_no_connection_is_opened_while_no_task_waits(broker: redis.Redis) -> None:
    make_task(agent=celery_agent())
    before: Any = broker.info("stats")

    assert resubmit_lost_tasks() == 0

    after: Any = broker.info("stats")
    counted = "total_connections_received"
    assert after[counted] == before[counted]
