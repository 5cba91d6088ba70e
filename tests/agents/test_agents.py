from __future__ import annotations

from functools import partial

import pytest

from agents.models import Agent
from agents.services.agents import (
    AgentNotFound,
    InvalidAgent,
    delete_agent,
    save_agent,
)
from tests.factories import make_agent
from tests.races import ROUNDS, race_all

pytestmark = pytest.mark.django_db(transaction=True)

CONFIG = {"task": "agents.tasks.echo"}


def test_a_change_is_checked_against_the_values_stored_in_the_meantime() -> None:
    agent = make_agent(backend="celery", config=CONFIG)
    stale = Agent.objects.get(pk=agent.pk)
    save_agent(agent, backend="memory", config={})

    with pytest.raises(InvalidAgent):
        save_agent(stale, config=CONFIG)

    stored = Agent.objects.get(pk=agent.pk)
    assert (stored.backend, stored.config) == ("memory", {})


def test_two_concurrent_changes_leave_a_valid_config() -> None:
    for _ in range(ROUNDS):
        agent = make_agent(backend="memory", config={})
        first, second = (Agent.objects.get(pk=agent.pk) for _ in range(2))

        race_all(
            [
                partial(save_agent, first, backend="celery", config=CONFIG),
                partial(save_agent, second, name=f"renamed-{agent.pk}"),
            ]
        )

        stored = Agent.objects.get(pk=agent.pk)
        assert (stored.backend, stored.config) == ("celery", CONFIG)
        assert stored.name == f"renamed-{agent.pk}"


def test_saving_a_deleted_agent_raises_not_found() -> None:
    agent = make_agent()
    delete_agent(agent_id=agent.pk)

    with pytest.raises(AgentNotFound):
        save_agent(agent, name="late")

    assert not Agent.objects.exists()
