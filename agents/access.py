"""Who may do what with agents and their tasks."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, Q, QuerySet

from access.callers import ADMINISTER, Caller
from access.policy import Rule, by_subject, crud, payload_act, register, visible
from agents.models import Agent, AgentTask

AGENTS = crud("agents.agent", "agents", is_global=True)
TASKS = crud("agents.agenttask", "tasks")
TASK_PAYLOADS = payload_act("tasks")


def usable_agents(caller: Caller) -> QuerySet[Agent]:
    """Return the agents that a caller may use in triggers.

    Those without a group, those of the user's groups, and all for administrators.
    """
    return visible(Agent.objects.all(), caller)


def _of_groups(caller: Caller) -> Q:
    if caller.has_perm(ADMINISTER):
        return Q()
    links = Agent.groups.through.objects.filter(agent=OuterRef("pk"))
    own = Group.objects.filter(user=caller.user.pk)
    return ~Exists(links) | Exists(links.filter(group__in=own))


register(Agent, Rule(_of_groups, has_subject=False))
register(AgentTask, by_subject("subject"))
