"""Statements on tasks stay cheap while 50,000 dead ones fill the partial indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now

from agents.models import AgentTask, TaskStatus, Worker
from agents.services.concurrency import cancel_tasks, release_tasks
from agents.services.heartbeat import current_worker, forget_old_workers
from agents.services.lost import resubmit_lost
from agents.services.run import (
    claim_task,
    finish_task,
    give_up_deadly,
    take_back_silent,
    time_out_overdue,
)
from agents.services.submit import submit_overdue, submit_tasks
from tests.agents.snapshots import bury_tasks, counted_buffers
from tests.agents.snapshots import held_snapshot as held_snapshot
from tests.factories import make_agent, make_task

pytestmark = pytest.mark.django_db(transaction=True)

LOOKS = (
    submit_overdue,
    resubmit_lost,
    take_back_silent,
    give_up_deadly,
    time_out_overdue,
    forget_old_workers,
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
def test_looks_do_not_read_what_was_done_before() -> None:
    current_worker()
    bury_tasks(make_task())
    for look in LOOKS:
        look()
    running, waiting = make_task(), make_task()
    submit_tasks([running.id])
    claim_task(task_id=running.id)

    idle = {look.__name__: buffers_of(look) for look in LOOKS}
    Worker.objects.update(seen_at=Now() - timedelta(hours=1))
    busy = {look.__name__: buffers_of(look) for look in LOOKS}

    assert {name: n for name, n in idle.items() if n > FEW} == {}
    assert {name: n for name, n in busy.items() if n > FEW} == {}
    waiting.refresh_from_db()
    running.refresh_from_db()
    assert waiting.status == running.status == TaskStatus.SUBMITTED
    assert running.attempt == 2


@pytest.mark.usefixtures("held_snapshot")
def test_a_task_is_found_by_its_id_and_not_among_all_of_its_status() -> None:
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
