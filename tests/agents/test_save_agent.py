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


def test_a_change_is_checked_with_what_another_has_stored_meanwhile() -> None:
    agent = make_agent(backend="celery", config=CONFIG)
    stale = Agent.objects.get(pk=agent.pk)
    save_agent(agent, backend="memory", config={})

    with pytest.raises(InvalidAgent):
        save_agent(stale, config=CONFIG)

    stored = Agent.objects.get(pk=agent.pk)
    assert (stored.backend, stored.config) == ("memory", {})


def test_two_changes_at_once_leave_a_config_that_its_backend_takes() -> None:
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


def test_an_agent_deleted_meanwhile_is_not_found() -> None:
    agent = make_agent()
    delete_agent(agent_id=agent.pk)

    with pytest.raises(AgentNotFound):
        save_agent(agent, name="late")

    assert not Agent.objects.exists()
