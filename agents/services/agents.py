from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from agents.backends import UnknownBackend, get_backend
from agents.models import Agent
from common.errors import Conflict, Fault, InvalidInput, NotFound, join_faults
from common.json_schema import find_schema_faults


class InvalidAgent(InvalidInput):
    """The agent's configuration is not valid."""

    code = "invalid_agent"


class AgentNotFound(NotFound):
    """There is no such agent."""

    code = "agent_not_found"


class AgentNameTaken(Conflict):
    """Another agent already has this name."""

    code = "agent_name_taken"


class AgentInUse(Conflict):
    """The agent has triggers or tasks; disable it instead."""

    code = "agent_in_use"


def save_agent(agent: Agent, **fields: Any) -> Agent:
    """Set fields of a new or stored agent and save it.

    Raises InvalidAgent, AgentNameTaken or AgentNotFound.
    """
    try:
        with transaction.atomic():
            _lock(agent)
            for name, value in fields.items():
                setattr(agent, name, value)
            if faults := _find_faults(agent):
                detail = join_faults(faults, limit=None, with_pointers=False)
                raise InvalidAgent(detail, faults=faults)
            is_new = agent._state.adding
            agent.save(update_fields=None if is_new else [*fields, "updated_at"])
    except IntegrityError as error:
        raise AgentNameTaken(
            faults=[Fault("/name", "Another agent has this name")]
        ) from error
    return agent


def delete_agent(*, agent_id: UUID) -> None:
    """Delete an agent without triggers and tasks; raise AgentInUse or AgentNotFound."""
    with transaction.atomic():
        agent = Agent.objects.select_for_update().filter(pk=agent_id).first()
        if agent is None:
            raise AgentNotFound
        if agent.triggers.exists() or agent.tasks.exists():
            raise AgentInUse
        agent.delete()


def _lock(agent: Agent) -> None:
    """Lock and reload a stored agent: the checks need its current values."""
    if not agent._state.adding:
        try:
            stored = Agent.objects.select_for_update(no_key=True)
            agent.refresh_from_db(from_queryset=stored)
        except Agent.DoesNotExist:
            raise AgentNotFound from None


def _find_faults(agent: Agent) -> list[Fault]:
    faults = []
    try:
        found = get_backend(agent.backend).check_config(agent.config)
        faults += [Fault(f"/config{fault.pointer}", fault.detail) for fault in found]
    except UnknownBackend as error:
        faults.append(Fault("/backend", error.detail))
    found = find_schema_faults(agent.parameters_schema)
    faults += [Fault(f"/parameters_schema{f.pointer}", f.detail) for f in found]
    return faults
