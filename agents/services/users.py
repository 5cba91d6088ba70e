from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from access.handover import ADMINISTER
from access.ownership import OwnedKind, owned_kinds
from agents.models import Agent


def users_of_agent(agent_id: UUID | OuterRef) -> QuerySet[User]:
    """Return the active users who may use an agent.

    In a subquery, an OuterRef names the agent.
    """
    agent = OuterRef(agent_id) if isinstance(agent_id, OuterRef) else agent_id
    links = Agent.groups.through.objects.filter(agent=agent)
    own = links.filter(group__user=OuterRef("pk"))
    return _active_users().filter(~Exists(links) | Exists(own) | _administrators())


def users_of_groups(groups: Collection[Group]) -> QuerySet[User]:
    """Return the active users who may use an agent that these groups may use."""
    if not groups:
        return _active_users()
    members = User.groups.through.objects.filter(user=OuterRef("pk"), group__in=groups)
    return _active_users().filter(Exists(members) | _administrators())


def _active_users() -> QuerySet[User]:
    return User.objects.filter(is_active=True)


def _administrators() -> Q:
    return Q(pk__in=User.objects.with_perm(ADMINISTER).values("pk"))


def _open_to(agents: QuerySet[Any], user: User) -> QuerySet[Any]:
    return agents.filter(Exists(users_of_agent(OuterRef("pk")).filter(pk=user.pk)))


owned_kinds.register("agents")(
    OwnedKind(
        present=Agent.objects.all,
        open_to=_open_to,
        agent_column="id",
        handed_over={"updated_at": Now()},
    )
)
