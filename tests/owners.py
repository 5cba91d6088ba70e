"""Accounts, groups and agents for the tests of ownership."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission, User

from agents.models import Agent
from tests.factories import make_agent, make_trigger
from triggers.models import Trigger


def make_user(name: str, *groups: Group, **fields: Any) -> User:
    user = User.objects.create_user(name, **fields)
    user.groups.set(groups)
    return user


def make_group(name: str) -> Group:
    return Group.objects.create(name=name)


def agent_of(*groups: Group) -> Agent:
    """Return an agent that only members of these groups may use."""
    agent = make_agent()
    agent.groups.set(groups)
    return agent


def owned_by(owner: User | None, **fields: Any) -> Trigger:
    """Return a trigger of an owner, who may have no access to its agent."""
    trigger = make_trigger(**fields)
    Trigger.objects.filter(pk=trigger.pk).update(owner=owner)
    trigger.refresh_from_db()
    return trigger


def permit(user: User, *codenames: str) -> User:
    """Give a user permissions such as `change_trigger`; return the reloaded user."""
    found = Permission.objects.filter(codename__in=codenames)
    user.user_permissions.add(*found)
    return User.objects.get(pk=user.pk)
