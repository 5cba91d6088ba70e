from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

import pytest
from celery import current_app
from django.db import InterfaceError
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from agents.backends import SubmissionFailed, get_backend
from agents.models import Agent, AgentTask, TaskStatus
from agents.services.submit import BATCH, create_tasks, submit_due_tasks, submit_tasks
from common.ids import uuid7
from tests.agents.brokers import closed_broker as closed_broker
from tests.factories import make_agent, make_task, new_task
from tests.memory_backend import MemoryBackend
from tests.races import ROUNDS, race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _forget_submitted() -> Iterator[None]:
    MemoryBackend.submitted.clear()
    yield
    MemoryBackend.fail_next = 0


def celery_agent() -> Agent:
    return make_agent(backend="celery", config={"task": "agents.tasks.echo"})


def come_due(task: AgentTask) -> None:
    AgentTask.objects.filter(pk=task.pk).update(next_attempt_at=Now())


def test_eight_workers_submit_a_task_once() -> None:
    for _ in range(ROUNDS):
        task = make_task()

        sent = race(partial(submit_tasks, [task.id]))

        assert sum(sent) == 1
        assert MemoryBackend.submitted.count(task.id) == 1


def test_the_sweep_submits_tasks_that_no_other_process_submitted() -> None:
    task = make_task()

    assert submit_due_tasks() == 1
    assert submit_due_tasks() == 0

    task.refresh_from_db()
    assert (task.status, task.publications) == (TaskStatus.SUBMITTED, 1)
    assert MemoryBackend.submitted == [task.id]


def test_one_idempotency_key_is_one_task() -> None:
    task = make_task()

    with pytest.raises(Exception, match="agent_task_idempotency_key_unique"):
        create_tasks([new_task(task.agent, idempotency_key=task.idempotency_key)])


def waits_for(task: AgentTask, seconds: int) -> bool:
    """Return whether a task's next attempt is `seconds` after its last one."""
    waits = AgentTask.objects.filter(
        pk=task.pk, next_attempt_at=F("submitted_at") + timedelta(seconds=seconds)
    )
    return waits.exists()


@pytest.mark.parametrize("publications", [0, 1, 6, 99])
def test_a_task_that_is_not_started_is_due_again_after_ten_minutes(
    publications: int,
) -> None:
    task = make_task()
    AgentTask.objects.filter(pk=task.pk).update(publications=publications)

    submit_tasks([task.id])

    assert waits_for(task, 600)
    assert submit_due_tasks() == 0
    come_due(task)
    assert submit_due_tasks() == 1
    assert MemoryBackend.submitted == [task.id, task.id]


@pytest.mark.parametrize(
    ("publications", "seconds"), [(0, 15), (1, 30), (2, 30), (99, 30)]
)
def test_a_rejected_task_is_submitted_again_within_half_a_minute(
    publications: int, seconds: int
) -> None:
    task = make_task()
    AgentTask.objects.filter(pk=task.pk).update(publications=publications)
    MemoryBackend.fail_next = 1

    assert submit_tasks([task.id]) == 0

    task.refresh_from_db()
    assert task.status == TaskStatus.PENDING
    assert task.submitted_at is not None
    assert task.next_attempt_at is not None
    waits = task.next_attempt_at - task.submitted_at
    assert timedelta(seconds=seconds) <= waits < timedelta(seconds=seconds + 60)
    assert submit_due_tasks() == 0
    come_due(task)
    assert submit_due_tasks() == 1
    assert MemoryBackend.submitted == [task.id]


def test_one_call_submits_all_due_tasks() -> None:
    agent = make_agent()
    create_tasks([new_task(agent) for _ in range(2 * BATCH + 1)])

    assert submit_due_tasks() == 2 * BATCH + 1
    assert submit_due_tasks() == 0

    assert len(set(MemoryBackend.submitted)) == 2 * BATCH + 1


def test_a_backend_that_accepts_nothing_is_called_once() -> None:
    agent = make_agent()
    create_tasks([new_task(agent) for _ in range(BATCH + 1)])
    MemoryBackend.fail_next = 10

    assert submit_due_tasks() == 0

    assert MemoryBackend.fail_next == 9
    statuses = AgentTask.objects.values_list("status", "publications")
    assert sorted(statuses) == [("pending", 0)] + [("pending", 1)] * BATCH


def test_a_permanently_rejected_task_fails_and_the_others_are_submitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = [make_task() for _ in range(3)]

    def submit(_: object, given: Sequence[AgentTask]) -> None:
        if tasks[1].id in {task.id for task in given}:
            raise SubmissionFailed("No such workflow", retryable=False)

    monkeypatch.setattr(MemoryBackend, "submit", submit)

    assert submit_tasks([task.id for task in tasks]) == 2

    statuses = AgentTask.objects.order_by("id").values_list("status", "error")
    assert list(statuses) == [
        (TaskStatus.SUBMITTED, ""),
        (TaskStatus.FAILED, "No such workflow"),
        (TaskStatus.SUBMITTED, ""),
    ]


def test_a_celery_task_that_is_no_longer_allowed_fails_alone(
    settings: Settings,
) -> None:
    settings.TICKHOOK_AGENT_TASKS = ["agents.tasks.echo", "shop.tasks.clean"]
    allowed = make_task(agent=celery_agent())
    config = {"task": "shop.tasks.clean"}
    forbidden = make_task(agent=make_agent(backend="celery", config=config))
    settings.TICKHOOK_AGENT_TASKS = ["agents.tasks.echo"]

    assert submit_tasks([allowed.id, forbidden.id]) == 1

    allowed.refresh_from_db()
    forbidden.refresh_from_db()
    assert allowed.status == TaskStatus.SUBMITTED
    assert forbidden.status == TaskStatus.FAILED
    assert "TICKHOOK_AGENT_TASKS" in forbidden.error


@pytest.mark.parametrize("queue", ["clock", "pipeline", "slow"])
def test_an_agent_cannot_use_the_queues_of_tickhook(queue: str) -> None:
    config = {"task": "agents.tasks.echo", "queue": queue}

    [fault] = get_backend("celery").check_config(config)

    assert fault.pointer == "/queue"


@pytest.mark.usefixtures("closed_broker")
def test_a_broker_that_is_down_leaves_tasks_pending(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = [make_task(agent=celery_agent()) for _ in range(2)]

    assert submit_tasks([task.id for task in tasks]) == 0

    statuses = AgentTask.objects.values_list("status", "publications")
    assert list(statuses) == [(TaskStatus.PENDING, 1)] * 2
    assert "2 tasks wait for backend celery: The broker does not answer" in caplog.text


def test_tasks_are_published_with_their_key_and_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = make_task(agent=celery_agent())
    sent: list[tuple[object, dict[str, object]]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, **options: sent.append((name, options))
    )

    submit_tasks([task.id])

    [(name, options)] = sent
    del options["producer"]
    assert name == "agents.tasks.echo"
    assert options == {
        "args": (str(task.id),),
        "queue": "agents",
        "task_id": f"{task.id}:1",
        "argsrepr": f"('{task.id}', '{task.title}')",
        "headers": {"idempotency_key": str(task.idempotency_key)},
        "soft_time_limit": 3600,
        "time_limit": 3630,
    }


def test_an_agent_whose_secret_cannot_be_read_does_not_delay_the_others() -> None:
    broken = make_task(agent=celery_agent())
    good = [make_task(agent=celery_agent()) for _ in range(3)]
    Agent.objects.filter(pk=broken.agent_id).update(config={})
    unknown = make_task(agent=make_agent(backend="gone"))
    kept = make_task()

    sent = submit_tasks([task.id for task in (broken, *good, unknown, kept)])

    assert sent == 4
    pending = AgentTask.objects.filter(status=TaskStatus.PENDING)
    assert set(pending.values_list("pk", flat=True)) == {broken.id, unknown.id}


def test_claimed_and_finished_tasks_are_not_submitted() -> None:
    for status in (TaskStatus.RUNNING, TaskStatus.SUCCEEDED, TaskStatus.CANCELLED):
        task = make_task()
        AgentTask.objects.filter(pk=task.pk).update(status=status)
        assert submit_tasks([task.id]) == 0

    assert submit_due_tasks() == 0
    assert submit_tasks([uuid7()]) == 0
    assert MemoryBackend.submitted == []


def test_a_broken_database_connection_fails_no_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def fail(_: MemoryBackend, tasks: Sequence[AgentTask]) -> None:
        tries.append(len(tasks))
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(MemoryBackend, "submit", fail)
    tasks = [make_task(), make_task()]

    with pytest.raises(InterfaceError):
        submit_tasks([task.id for task in tasks])

    assert tries == [2]
    assert "cannot be submitted" not in caplog.text
    assert set(AgentTask.objects.values_list("status", flat=True)) == {
        TaskStatus.SUBMITTED
    }
