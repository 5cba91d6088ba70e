"""Statements on tasks stay cheap while 50,000 dead tasks fill the partial indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now

from agents.models import AgentTask, TaskStatus, Worker
from agents.services import turns
from agents.services.chunks import (
    EndedTask,
    claim_waiting,
    end_tasks,
    release_claimed,
)
from agents.services.hints import Hint, begin_hint, free_slots, take_slots
from agents.services.resubmit import resubmit_lost_tasks
from agents.services.run import (
    cancel_tasks,
    claim_task,
    fail_tasks_out_of_attempts,
    finish_task,
    release_tasks,
    resubmit_tasks_of_dead_workers,
    time_out_overdue_tasks,
)
from agents.services.submit import submit_due_tasks, submit_tasks
from agents.services.workers import current_worker, delete_old_workers
from common.database.sql import database_now
from tests.agents.snapshots import bury_slots, bury_tasks, counted_buffers
from tests.agents.snapshots import held_snapshot as held_snapshot
from tests.factories import make_agent, make_task

pytestmark = pytest.mark.django_db(transaction=True)

SCANS = (
    submit_due_tasks,
    resubmit_lost_tasks,
    resubmit_tasks_of_dead_workers,
    fail_tasks_out_of_attempts,
    time_out_overdue_tasks,
    delete_old_workers,
)
# The dead entries alone are more than 200 pages of an index, and more of the table.
FEW = 100


def buffers_of(act: Callable[[], object]) -> int:
    """Return how many buffers the statements on tasks read in one call."""
    with counted_buffers() as buffers:
        act()
    assert buffers
    return sum(buffers)


@pytest.mark.usefixtures("held_snapshot")
def test_scans_do_not_read_dead_entries() -> None:
    current_worker()
    bury_tasks(make_task())
    for scan in SCANS:
        scan()
    running, waiting = make_task(), make_task()
    submit_tasks([running.id])
    claim_task(task_id=running.id)

    idle = {scan.__name__: buffers_of(scan) for scan in SCANS}
    Worker.objects.update(seen_at=Now() - timedelta(hours=1))
    busy = {scan.__name__: buffers_of(scan) for scan in SCANS}

    assert {name: n for name, n in idle.items() if n > FEW} == {}
    assert {name: n for name, n in busy.items() if n > FEW} == {}
    waiting.refresh_from_db()
    running.refresh_from_db()
    assert waiting.status == running.status == TaskStatus.SUBMITTED
    assert running.attempt == 2


@pytest.mark.usefixtures("held_snapshot")
def test_a_task_is_found_by_its_id_not_by_its_status() -> None:
    agent = make_agent()
    held = make_task(agent=agent, is_held=True)
    bury_tasks(held)
    ids = [make_task(agent=agent).id for _ in range(40)]

    assert buffers_of(partial(submit_tasks, ids)) / len(ids) < FEW
    assert buffers_of(partial(claim_task, task_id=ids[0])) < FEW
    task = AgentTask.objects.get(pk=ids[0])
    finish = partial(finish_task, task=task, status=TaskStatus.SUCCEEDED)
    assert buffers_of(finish) < FEW
    assert buffers_of(partial(release_tasks, [held.id])) < FEW
    cancel = partial(cancel_tasks, task_ids=ids, error="")
    assert buffers_of(cancel) / len(ids) < FEW


@pytest.mark.usefixtures("held_snapshot")
def test_looks_for_waiting_tasks_do_not_read_dead_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(turns, "REST_FACTOR", 10_000)
    agent = make_agent()
    bury_tasks(make_task(agent=agent))
    claim = partial(claim_waiting, agent=agent, limit=20, now=database_now())
    assert claim().tasks == []
    tasks = [make_task(agent=agent) for _ in range(3)]
    submit_tasks([task.id for task in tasks])

    assert buffers_of(partial(make_task, agent=agent)) < FEW
    assert buffers_of(claim) < FEW
    claimed = list(AgentTask.objects.filter(status=TaskStatus.RUNNING))

    assert {task.id for task in claimed} == {task.id for task in tasks}
    assert buffers_of(partial(release_claimed, claimed)) < FEW
    again = claim().tasks
    assert len(again) == 3
    ended = [EndedTask(task=task, status=TaskStatus.SUCCEEDED) for task in again]
    assert buffers_of(partial(end_tasks, ended)) < FEW


@pytest.mark.usefixtures("held_snapshot")
def test_hints_do_not_read_dead_slots() -> None:
    agent = make_agent()
    bury_slots(agent)
    taken: list[Hint] = []

    assert buffers_of(lambda: taken.extend(take_slots({agent.id: 3}))) < FEW
    assert [hint.slot for hint in taken] == [1, 2, 3]
    assert buffers_of(partial(begin_hint, taken[1])) < FEW
    assert buffers_of(partial(free_slots, taken[2:])) < FEW
    assert [hint.slot for hint in take_slots({agent.id: 9})] == [2, 3, 4, 5, 6, 7, 8]
