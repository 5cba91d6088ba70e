"""Gives permissions to the groups that are the roles, in migrations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
    kind = _content_type(apps, app, codename)
    rows = apps.get_model("auth", "Permission").objects
    row, _ = rows.get_or_create(
        content_type=kind,
        codename=codename,
        defaults={"name": f"Can {codename.replace('_', ' ')}"},
    )
    return row


# The models in whose options other permissions than Django's four are declared.
_DECLARED_BY = {
    ("executions", "view_payload"): "triggerexecution",
    ("access", "administer"): "apikey",
}


def _content_type(apps: Any, app: str, codename: str) -> Any:
    model = _DECLARED_BY.get((app, codename)) or codename.partition("_")[2]
    rows = apps.get_model("contenttypes", "ContentType").objects
    kind, _ = rows.get_or_create(app_label=app, model=model)
    return kind
