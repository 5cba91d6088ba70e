"""Who may use which agents, as conditions of queries about many users and agents.

The rule is that of `usable_agents`, which answers for one user.
"""

from __future__ import annotations

from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from access.callers import Caller
from access.handover import administrators
from access.ownership import OwnedKind, owned_kinds
from agents.access import usable_agents
from agents.models import Agent

_M = TypeVar("_M", bound=Model)


def users_of_agent(agent: OuterRef) -> QuerySet[User]:
    """Return the active users who may use the agent of the outer query's row."""
    links = Agent.groups.through.objects.filter(agent=OuterRef(agent))
    own = links.filter(group__user=OuterRef("pk"))
    is_open = ~Exists(links) | Exists(own) | Q(pk__in=administrators())
    return User.objects.filter(is_open, is_active=True)


def without_access(rows: QuerySet[_M], *, user: str) -> QuerySet[_M]:
    """Return the rows whose user may not use their agent; `user` is the user's column.

    The conditions are separate, so that PostgreSQL can join instead of looking at all
    members of the groups for each row.
    """
    links = Agent.groups.through.objects.filter(agent=OuterRef("agent"))
    own = links.filter(group__user=OuterRef(user))
    limited = rows.filter(Exists(links), ~Exists(own))
    return limited.exclude(**{f"{user}__in": administrators()})


def with_access(links: QuerySet[_M], *, agent: str) -> QuerySet[_M]:
    """Return the rows of whose `group` an active member may use their agent.

    `agent` is the path to the agent. Each condition finds its members by the group.
    """
    members = User.groups.through.objects.filter(
        group=OuterRef("group"), user__is_active=True
    )
    limits = Agent.groups.through.objects.filter(agent=OuterRef(agent))
    return links.filter(
        (Exists(members) & ~Exists(limits))
        | Exists(members.filter(user__groups__agent=OuterRef(agent)))
        | Exists(members.filter(user__in=administrators()))
    )


owned_kinds.register("agents")(
    OwnedKind(
        present=Agent.objects.all,
        open_to=lambda agents, user: agents.filter(pk__in=usable_agents(Caller(user))),
        agent_column="id",
        handed_over={"updated_at": Now()},
    )
)
