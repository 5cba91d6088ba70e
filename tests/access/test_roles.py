"""The roles, and what an upgrade gives to users who had permissions before."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from access.roles import ADMIN, EDITOR, OPERATOR, VIEWER

pytestmark = pytest.mark.django_db

ROLES = import_module("executions.migrations.0013_roles")


def permissions_of(group: Group) -> set[str]:
    rows = group.permissions.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def user_with(codename: str) -> User:
    user = User.objects.create_user("bo")
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


def test_each_role_may_what_the_one_before_it_may() -> None:
    viewer, operator, editor, admin = (
        permissions_of(Group.objects.get(name=name))
        for name in (VIEWER, OPERATOR, EDITOR, ADMIN)
    )

    assert viewer < operator < editor < admin
    assert "executions.view_payload" in admin - editor
    assert "access.view_auditlog" in admin - editor


def test_permissions_have_the_names_that_django_gives_them() -> None:
    names = dict(Permission.objects.values_list("codename", "name"))

    assert names["change_triggerexecution"] == "Can change history entry"
    assert names["administer"] == "Can manage what belongs to no subject"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("change_trigger", "executions.change_triggerexecution"),
        ("change_delivery", "executions.change_triggerexecution"),
        ("view_event", "executions.view_payload"),
        ("view_agenttask", "executions.view_payload"),
        ("view_delivery", "executions.view_payload"),
    ],
)
def test_an_upgrade_takes_nothing_from_users(before: str, after: str) -> None:
    user = user_with(before)
    group = Group.objects.create(name="own")
    group.permissions.add(Permission.objects.get(codename=before))

    ROLES.make_roles(apps, None)

    assert User.objects.get(pk=user.pk).has_perm(after)
    assert after in permissions_of(group)


def test_an_upgrade_gives_payloads_to_no_other_user() -> None:
    user = user_with("view_trigger")

    ROLES.make_roles(apps, None)

    assert not User.objects.get(pk=user.pk).has_perm("executions.view_payload")
