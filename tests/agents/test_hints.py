"""Hints: how many are sent, what they make a worker do, and what no hint harms."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
from django.db import OperationalError
from django.db.models.functions import Now
from django_celery_results.models import TaskResult
from pytest_django import Settings

from agents.agent_task import agent_task
from agents.models import AgentTask, HintSlot, TaskStatus
from agents.runner import hints as runner
from agents.services.chunks import ClaimedTasks, claim_waiting
from agents.services.hints import announce_tasks, announced_tasks
from agents.services.run import cancel_tasks, time_out_overdue_tasks
from agents.services.submit import submit_tasks
from common.database.sql import database_now
from tests.agents.hinting import (
    QUEUE,
    hinted_agent,
    length,
    ran,
    record_run,
    slots_of,
    take_messages,
    waiting_tasks,
)
from tests.agents.hinting import broker as broker
from tests.races import ROUNDS, race, race_all

pytestmark = pytest.mark.django_db(transaction=True)


def submit(tasks: list[AgentTask]) -> None:
    assert submit_tasks([task.id for task in tasks]) == len(tasks)


@pytest.mark.parametrize(("tasks", "hints"), [(1, 1), (3, 3), (40, 8)])
def test_an_agent_has_as_many_hints_as_tasks_but_at_most_eight(
    broker: redis.Redis, tasks: int, hints: int
) -> None:
    agent = hinted_agent()

    submit(waiting_tasks(agent, tasks))

    assert length(broker) == hints
    assert slots_of(agent) == list(range(1, hints + 1))
    submit(waiting_tasks(agent, 10))
    assert length(broker) == min(8, hints + 10)


def test_a_hint_runs_all_waiting_tasks_of_its_agent(broker: redis.Redis) -> None:
    agent, other = hinted_agent(), hinted_agent()
    submit([*waiting_tasks(agent, 30), *waiting_tasks(other, 2)])
    first, *_ = (m for m in take_messages(broker) if m["agent"] == str(agent.id))

    record_run(first)

    assert ran == [str(n) for n in range(30)]
    done = AgentTask.objects.filter(agent=agent)
    assert set(done.values_list("status", "attempt")) == {("succeeded", 1)}
    assert set(done.values_list("result", flat=True)) == set(ran)
    assert AgentTask.objects.filter(agent=other, status="submitted").count() == 2


def test_a_hint_frees_its_slot_and_is_followed_while_more_waits(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 9))
    messages = take_messages(broker)
    monkeypatch.setattr(runner, "WORK_SECONDS", 0)

    record_run(messages[4])

    # One task was claimed: another process is woken, with the slot that became free.
    assert ran == ["0"]
    assert [m["slot"] for m in take_messages(broker)] == [5]
    assert slots_of(agent) == list(range(1, 9))


def test_repeated_and_late_hints_do_nothing(broker: redis.Redis) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 3))
    messages = take_messages(broker)

    for message in [*messages, *messages]:
        record_run(message)

    assert sorted(ran) == ["0", "1", "2"]
    assert slots_of(agent) == []


def test_eight_processes_run_each_task_once(broker: redis.Redis) -> None:
    for _ in range(ROUNDS):
        agent = hinted_agent()
        submit(waiting_tasks(agent, 12))
        [message, *_] = take_messages(broker)
        ran.clear()

        race(partial(record_run, message))

        take_messages(broker)
        assert sorted(ran, key=int) == [str(n) for n in range(12)]
        assert not AgentTask.objects.exclude(status="succeeded").exists()


def test_a_submission_and_the_last_hint_race_without_leaving_a_task(
    broker: redis.Redis,
) -> None:
    agent = hinted_agent()
    for _ in range(ROUNDS):
        submit(waiting_tasks(agent, 8))
        messages = iter(take_messages(broker))
        later = iter(waiting_tasks(agent, 4))

        def work(begin: bool, messages: Any = messages, later: Any = later) -> None:
            record_run(next(messages)) if begin else submit_tasks([next(later).id])

        race_all([partial(work, n % 2 == 0) for n in range(8)])
        left = AgentTask.objects.filter(status=TaskStatus.SUBMITTED).exists()
        assert not left or slots_of(agent)
        for message in take_messages(broker):
            record_run(message)
        assert not AgentTask.objects.exclude(status="succeeded").exists()


def test_a_task_that_is_not_announced_has_a_message_of_its_own(
    broker: redis.Redis,
) -> None:
    agent = hinted_agent()
    announce_tasks([QUEUE], hinted=[], others=[record_run.name])
    [task] = waiting_tasks(agent, 1)

    submit([task])

    message: Any
    [message] = take_messages(broker)
    assert message == str(task.id)
    assert announced_tasks() == set()
    record_run(message)
    assert ran == ["0"]


def test_an_agent_that_was_changed_gets_a_hint_for_its_new_code(
    broker: redis.Redis,
) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 1))
    agent.config = {"task": "shop.tasks.new", "queue": "shop"}
    agent.save(update_fields=["config"])

    record_run(take_messages(broker)[0])

    assert ran == []
    assert length(broker, "shop") == 1


def test_the_hint_of_a_deleted_agent_does_nothing(broker: redis.Redis) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 1))
    [message] = take_messages(broker)
    AgentTask.objects.all().delete()
    agent.delete()

    record_run(message)

    assert not HintSlot.objects.exists()


def test_a_task_that_has_lost_a_worker_is_claimed_alone(broker: redis.Redis) -> None:
    agent = hinted_agent()
    tasks = waiting_tasks(agent, 5)
    submit(tasks)
    AgentTask.objects.filter(pk=tasks[2].pk).update(attempt=2)
    runner._pace[agent.id] = 0.001

    assert claimed_sizes(broker) == [2, 1, 2, 0]

    assert ran == ["0", "1", "2", "3", "4"]


def claimed_sizes(broker: redis.Redis) -> list[int]:
    """Run a hint; return how many tasks each claim returned."""
    sizes: list[int] = []

    def note(**given: Any) -> ClaimedTasks:
        claimed = claim_waiting(**given)
        sizes.append(len(claimed.tasks))
        return claimed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "claim_waiting", note)
        record_run(take_messages(broker)[0])
    return sizes


@agent_task
def take_a_while(task: AgentTask) -> object:
    time.sleep(0.5 if task.title == "1" else 0)
    statuses.append(
        list(AgentTask.objects.order_by("id").values_list("status", flat=True))
    )
    return None


statuses: list[list[str]] = []


def test_tasks_before_and_after_a_long_one_do_not_wait_for_it(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = hinted_agent(take_a_while)
    submit(waiting_tasks(agent, 4))
    runner._pace[agent.id] = 0.001
    [message, *others] = take_messages(broker)
    statuses.clear()

    take_a_while(message)

    assert statuses[0] == ["running"] * 4
    assert statuses[1] == ["succeeded", "running", "submitted", "submitted"]
    assert not AgentTask.objects.exclude(status="succeeded").exists()
    assert len(others) == 3


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.0001, 20), (0.01, 5), (0.2, 1), (None, 1)]
)
def test_the_number_of_claimed_tasks_follows_their_time(
    broker: redis.Redis, seconds: float | None, size: int
) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 25))
    if seconds:
        runner._pace[agent.id] = seconds

    assert claimed_sizes(broker)[0] == size


def test_a_cancelled_task_does_not_run(broker: redis.Redis) -> None:
    tasks = waiting_tasks(hinted_agent(), 3)
    submit(tasks)
    cancel_tasks(task_ids=[tasks[1].id], error="No longer wanted")

    record_run(take_messages(broker)[0])

    assert ran == ["0", "2"]


def test_a_claim_without_the_servers_answer_is_found(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(waiting_tasks(hinted_agent(), 2))
    failures = [1]

    def claim_and_lose_the_answer(**given: Any) -> ClaimedTasks:
        claimed = claim_waiting(**given)
        if failures:
            failures.clear()
            raise OperationalError("server closed the connection unexpectedly")
        return claimed

    monkeypatch.setattr(runner, "claim_waiting", claim_and_lose_the_answer)
    monkeypatch.setattr(runner, "CLAIM_PAUSE_SECONDS", 0.01)

    record_run(take_messages(broker)[0])

    assert ran == ["0", "1"]


def test_celerys_table_has_a_row_for_each_task_without_its_content(
    broker: redis.Redis,
) -> None:
    [task] = waiting_tasks(hinted_agent(), 1)
    submit([task])

    record_run(take_messages(broker)[0])

    task.refresh_from_db()
    row: Any = TaskResult.objects.get()
    assert (row.task_id, row.task_name, row.status) == (
        str(task.id),
        record_run.name,
        "SUCCESS",
    )
    assert row.result == f'"{task.id}"'
    assert (row.task_args, row.task_kwargs, row.traceback) == (None, None, None)
    assert row.date_started == task.started_at
    assert task.finished_at is not None
    assert row.date_done >= task.finished_at


def test_celerys_table_has_a_row_for_a_task_that_the_sweep_ends(
    broker: redis.Redis,
) -> None:
    agent = hinted_agent()
    submit(waiting_tasks(agent, 1))
    claim_waiting(agent=agent, limit=1, now=database_now())
    AgentTask.objects.update(deadline_at=Now() - timedelta(seconds=1))

    assert time_out_overdue_tasks() == 1

    row: Any = TaskResult.objects.get()
    assert (row.task_name, row.status) == (record_run.name, "FAILURE")


def test_celerys_table_stays_empty_if_that_is_turned_off(
    broker: redis.Redis, settings: Settings
) -> None:
    settings.TICKHOOK_CELERY_RESULTS = False
    submit(waiting_tasks(hinted_agent(), 1))

    record_run(take_messages(broker)[0])

    assert ran == ["0"]
    assert not TaskResult.objects.exists()
