"""The triggers of one agent take turns, however many tasks of one of them wait."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from agents.models import Agent, AgentTask
from agents.services import turns
from agents.services.chunks import claim_waiting
from agents.services.submit import create_tasks, submit_tasks
from common.database.sql import database_now
from common.ids import uuid7
from tests.factories import make_agent, new_task

pytestmark = pytest.mark.django_db(transaction=True)


def create(agent: Agent, *titles: str, keys: dict[str, UUID]) -> None:
    """Create and submit tasks; the first letter of a title names its trigger."""
    tasks = [
        new_task(agent, title=title, concurrency_key=keys.setdefault(title[0], uuid7()))
        for title in titles
    ]
    create_tasks(tasks)
    submit_tasks([task.id for task in tasks])


def claim(agent: Agent, limit: int = 20) -> list[str]:
    claimed = claim_waiting(agent=agent, limit=limit, now=database_now())
    return [task.title for task in claimed.tasks]


def test_triggers_take_turns_and_keep_the_order_of_their_tasks() -> None:
    agent, keys = make_agent(), dict[str, UUID]()

    create(agent, "a1", "a2", "a3", "b1", "b2", "c1", keys=keys)

    assert claim(agent) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_first_task_of_a_new_trigger_waits_for_one_of_each_other() -> None:
    agent, keys = make_agent(), dict[str, UUID]()
    create(agent, *(f"a{n}" for n in range(50)), keys=keys)
    create(agent, *(f"b{n}" for n in range(50)), keys=keys)
    assert len(claim(agent, limit=10)) == 10

    create(agent, "c0", "c1", keys=keys)

    assert claim(agent, limit=8) == ["a5", "b5", "c0", "a6", "b6", "c1", "a7", "b7"]


def test_a_trigger_that_waits_goes_on_after_its_last_turn() -> None:
    agent, keys = make_agent(), dict[str, UUID]()
    create(agent, "a0", "a1", "a2", "b0", keys=keys)

    create(agent, "a3", "b1", keys=keys)

    assert claim(agent) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_process_that_was_restarted_learns_the_last_turns() -> None:
    agent, keys = make_agent(), dict[str, UUID]()
    create(agent, "a0", "a1", "a2", keys=keys)
    turns._last_turns.clear()

    create(agent, "a3", "b0", keys=keys)

    assert claim(agent) == ["a0", "b0", "a1", "a2", "a3"]


def test_a_trigger_has_turns_of_its_own_at_each_agent() -> None:
    agents, keys = [make_agent(), make_agent()], dict[str, UUID]()
    create(agents[0], *(f"a{n}" for n in range(5000)), keys=keys)

    create(agents[1], "a0", keys=keys)

    [turn_at] = agents[1].tasks.values_list("turn_at", flat=True)
    assert turn_at < agents[0].tasks.latest("turn_at").turn_at


def test_a_floor_never_hides_the_task_for_which_a_hint_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(turns, "REST_FACTOR", 10_000)
    agent, keys = make_agent(), dict[str, UUID]()
    create(agent, "a0", "a1", keys=keys)
    assert claim(agent, limit=1) == ["a0"]
    [late] = AgentTask.objects.filter(title="a1")
    before = late.turn_at - turns.MARGIN
    AgentTask.objects.filter(pk=late.pk).update(turn_at=before)
    now = database_now()

    claim_next = partial(claim_waiting, agent=agent, limit=1, now=now)
    assert claim_next().tasks == []
    assert claim_next(shown=before).tasks == [late]


def test_a_floor_is_used_only_for_a_while_after_a_long_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    floors, agent_id, now = turns.LookFloors(), uuid7(), database_now()

    floors.learn(agent_id, first=now, seconds=turns.SHORT_SECONDS / 2)
    assert floors.after(agent_id) == turns.BEFORE_ALL
    floors.learn(agent_id, first=now, seconds=turns.SHORT_SECONDS * 2)
    assert floors.after(agent_id) == now - turns.INSTANT
    monkeypatch.setattr("agents.services.turns.time.monotonic", lambda: 10.0**9)
    assert floors.after(agent_id) == turns.BEFORE_ALL
