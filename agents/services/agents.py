from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from jsonschema import Draft202012Validator, SchemaError

from agents.backends.base import UnknownBackend, get_backend
from agents.models import Agent
from common.errors import Conflict, Fault, InvalidInput


class InvalidAgent(InvalidInput):
    """The agent's configuration is not valid."""

    code = "invalid_agent"


class AgentNameTaken(Conflict):
    """Another agent already has this name."""

    code = "agent_name_taken"


class AgentInUse(Conflict):
    """The agent has triggers or tasks; switch it off instead."""

    code = "agent_in_use"


def save_agent(agent: Agent, **fields: Any) -> Agent:
    """Set fields of a new or stored agent; raise InvalidAgent or AgentNameTaken."""
    for name, value in fields.items():
        setattr(agent, name, value)
    if faults := _find_faults(agent):
        raise InvalidAgent("; ".join(f.detail for f in faults), faults=faults)
    try:
        with transaction.atomic():
            agent.save()
    except IntegrityError as error:
        raise AgentNameTaken(faults=[Fault("/name", "Is taken")]) from error
    return agent


def delete_agent(*, agent_id: UUID) -> None:
    """Delete an agent that nothing names; raise AgentInUse otherwise."""
    agent = Agent.objects.select_for_update().get(pk=agent_id)
    if agent.triggers.exists() or agent.tasks.exists():
        raise AgentInUse
    agent.delete()


def _find_faults(agent: Agent) -> list[Fault]:
    faults = []
    try:
        for fault in get_backend(agent.backend).check_config(agent.config):
            faults.append(Fault(f"/config{fault.pointer}", fault.detail))
    except UnknownBackend as error:
        faults.append(Fault("/backend", error.detail))
    try:
        Draft202012Validator.check_schema(agent.parameters_schema)
    except SchemaError as error:
        faults.append(Fault("/parameters_schema", error.message[:500]))
    return faults
