"""Gives permissions to the groups that are the roles, in migrations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps as current_apps

VIEWER = "Viewer"
OPERATOR = "Operator"
EDITOR = "Editor"
ADMIN = "Admin"


def grant(apps: Any, group: str, permissions: Iterable[str]) -> None:
    """Give a group permissions such as `triggers.view_trigger`; make the group.

    Django makes the rows of permissions only after all migrations, so this makes those
    that do not exist yet. `apps` are the models of the migration.
    """
    role, _ = apps.get_model("auth", "Group").objects.get_or_create(name=group)
    role.permissions.add(*(permission_row(apps, one) for one in permissions))


def grant_holders(apps: Any, of: str, permission: str) -> None:
    """Give a permission to all users and groups that hold another one."""
    held, given = permission_row(apps, of), permission_row(apps, permission)
    for holders in (held.user_set, held.group_set):
        for holder in holders.all():
            into = getattr(holder, "user_permissions", None) or holder.permissions
            into.add(given)


def permission_row(apps: Any, permission: str) -> Any:
    """Return the row of a permission, which is made if there is none."""
    app, _, codename = permission.partition(".")
    model, name = _model_and_name(app, codename)
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app, model=model
    )
    row, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return row


def _model_and_name(app: str, codename: str) -> tuple[str, str]:
    """Return the model of a permission, and the name that Django gives it."""
    for model in current_apps.get_app_config(app).get_models():
        declared = dict(model._meta.permissions)
        if codename in declared:
            return str(model._meta.model_name), declared[codename]
    verb, _, name = codename.partition("_")
    words = current_apps.get_model(app, name)._meta.verbose_name_raw
    return name, f"Can {verb} {words}"
