from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from access.callers import Caller
from access.handover import (
    OWNER_FIELDS,
    Person,
    change_owner,
    may_administer,
    save_owner_groups,
)
from agents.access import usable_agents
from agents.backends import UnknownBackend, get_backend
from agents.models import Agent
from common.errors import Conflict, Fault, InvalidInput, NotFound, join_faults
from common.json_schema import find_schema_faults

_NO_COLUMNS = ("groups", *OWNER_FIELDS)


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


def save_agent(agent: Agent, *, by: Person | None = None, **fields: Any) -> Agent:
    """Set fields of a new or stored agent and save it.

    `by` is the person who does it: the owner of a new agent, unless `fields` names
    another. Raises InvalidAgent, AgentNameTaken or AgentNotFound.
    """
    is_new = agent._state.adding
    if is_new and isinstance(by, User):
        fields.setdefault("owner", by)
    try:
        with transaction.atomic():
            _lock(agent)
            columns = {n: v for n, v in fields.items() if n not in _NO_COLUMNS}
            for name, value in columns.items():
                setattr(agent, name, value)
            faults = _find_faults(agent) + _change_owner(agent, fields, by)
            if faults:
                detail = join_faults(faults, limit=None, with_pointers=False)
                raise InvalidAgent(detail, faults=faults)
            changed = [*columns, "owner", "owner_lost_at", "updated_at"]
            agent.save(update_fields=None if is_new else changed)
            if "groups" in fields:
                agent.groups.set(fields["groups"])
            save_owner_groups(agent, fields)
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


def _change_owner(
    agent: Agent, fields: Mapping[str, Any], by: Person | None
) -> list[Fault]:
    """Set the owner, who must be able to use the agent with its new groups."""

    def may_use(user: User) -> bool:
        if "groups" not in fields and not agent._state.adding:
            return usable_agents(Caller(user)).filter(pk=agent.pk).exists()
        groups = fields.get("groups")
        if not groups or may_administer(user):
            return True
        return user.groups.filter(pk__in=[group.pk for group in groups]).exists()

    return change_owner(agent, fields, by=by, may_use=may_use)


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
