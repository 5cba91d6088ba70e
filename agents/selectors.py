from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Q, QuerySet

from agents.models import Agent


def usable_agents(user: User | AbstractBaseUser | AnonymousUser) -> QuerySet[Agent]:
    """Return the agents that a user may let work: those of no group, and of his own.

    A superuser may use all.
    """
    if not isinstance(user, User):
        return Agent.objects.none()
    if user.is_superuser:
        return Agent.objects.all()
    own = Agent.objects.filter(groups__in=user.groups.all())
    return Agent.objects.filter(Q(groups=None) | Q(pk__in=own.values("pk")))
