"""Changes the owners of one row, or hands over all rows of an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import (
    AbstractBaseUser,
    AnonymousUser,
    Group,
    Permission,
    User,
)
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from access.actors import because
from access.audit.records import record_updates
from access.callers import ADMINISTER, Caller
from access.ownership import Owned, OwnedKind, lock_batch, owned_kinds, rows_of
from common.errors import Fault, InvalidInput

# The members of a row that name its owners.
OWNER_FIELDS = ("owner", "owner_groups")

_LOCK_ACTIVE = "SELECT FROM auth_user WHERE id = %s AND is_active FOR SHARE"

Person = User | AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """How many rows have another owner now, and how many it may not own."""

    moved: int
    left_out: int


class NotAnOwner(InvalidInput):
    """The new owner must be another, active user."""

    code = "not_an_owner"


def may_administer(user: Person) -> bool:
    """Return whether a user may manage what belongs to others."""
    return Caller(user).administers


def administrators() -> QuerySet[Any]:
    """Return the ids of the users who may manage what belongs to others.

    Django's `with_perm` would search the members of all groups once for each user.
    """
    app_label, _, codename = ADMINISTER.partition(".")
    permission = Permission.objects.filter(
        content_type__app_label=app_label, codename=codename
    )
    own = User.user_permissions.through.objects.filter(permission__in=permission)
    groups = Group.permissions.through.objects.filter(permission__in=permission)
    members = User.groups.through.objects.filter(group__in=groups.values("group"))
    return User.objects.filter(
        Q(is_superuser=True)
        | Q(pk__in=own.values("user"))
        | Q(pk__in=members.values("user"))
    ).values("pk")


def may_hand_over(user: Person, row: Owned) -> bool:
    """Return whether a user is one of the owners of a row, or an Admin."""
    if may_administer(user):
        return True
    if not isinstance(user, User):
        return False
    return row.owner_id == user.pk or row.owner_groups.filter(user=user).exists()


def change_owner(
    row: Owned,
    given: Mapping[str, Any],
    *,
    by: Person | None,
    may_use: Callable[[User], bool],
) -> list[Fault]:
    """Set the owner that `given` names; return the faults of its OWNER_FIELDS.

    The row is new, or locked by the caller, who saves it and then calls
    `save_owner_groups`. `by` is the person who does it; a program may do all. `may_use`
    returns whether a user may use the row's agent.
    """
    changed = list(_changed(row, given))
    is_new = row._state.adding
    if changed and by is not None and not is_new and not may_hand_over(by, row):
        return [Fault(f"/{name}", _explain_refusal(row)) for name in changed]
    if "owner" not in changed:
        return []
    owner: User | None = given["owner"]
    if owner is not None and (fault := _find_fault(owner, may_use)):
        return [fault]
    row.owner, row.owner_lost_at = owner, None
    return []


def save_owner_groups(row: Owned, given: Mapping[str, Any]) -> None:
    if "owner_groups" in given:
        row.owner_groups.set(given["owner_groups"])


def hand_over(*, previous: User | None, new_owner: User) -> HandOver:
    """Give all rows of an account to another user, except those it may not own.

    `previous` is None for the rows of all deleted accounts. Commits in batches. Raises
    NotAnOwner.
    """
    if new_owner == previous:
        detail = f"{new_owner.get_username()!r} owns this already. Choose another user"
        raise NotAnOwner(detail, faults=[Fault("/new_owner", detail)])
    moved = left_out = 0
    for name, rows in rows_of(previous):
        moved += _hand_over_rows(owned_kinds[name], rows, new_owner)
        left_out += rows.count()
    return HandOver(moved=moved, left_out=left_out)


def _hand_over_rows(kind: OwnedKind, rows: QuerySet[Any], new_owner: User) -> int:
    moved, after = 0, None
    while True:
        with transaction.atomic():
            if not _lock_active(new_owner):
                detail = f"The account {new_owner.get_username()!r} is not active"
                raise NotAnOwner(detail, faults=[Fault("/new_owner", detail)])
            batch = lock_batch(kind.open_to(rows, new_owner), after=after)
            chosen = rows.model._default_manager.filter(pk__in=[pk for pk, _ in batch])
            chosen.update(owner=new_owner, owner_lost_at=None, **kind.handed_over)
            with because("handed over"):
                old = {pk: {"owner_id": owner_id} for pk, owner_id in batch}
                record_updates(rows.model, old)
        if not batch:
            return moved
        moved, after = moved + len(batch), batch[-1][0]


def _changed(row: Owned, given: Mapping[str, Any]) -> Iterator[str]:
    if "owner" in given and getattr(given["owner"], "pk", None) != row.owner_id:
        yield "owner"
    if "owner_groups" in given:
        is_new = row._state.adding
        before = set() if is_new else set(row.owner_groups.values_list("pk", flat=True))
        if {group.pk for group in given["owner_groups"]} != before:
            yield "owner_groups"


def _explain_refusal(row: Owned) -> str:
    if row.owner is None:
        return "Only an Admin, or a member of its owner groups, may change this"
    return (
        f"Only the owner, {row.owner.get_username()!r}, a member of the owner groups, "
        "or an Admin may change this"
    )


def _find_fault(owner: User, may_use: Callable[[User], bool]) -> Fault | None:
    name = owner.get_username()
    if not _lock_active(owner):
        detail = f"The account {name!r} is not active. Choose an active user"
        return Fault("/owner", detail)
    if not may_use(owner):
        detail = (
            f"The user {name!r} may not use the agent. Choose another user, or add "
            "this one to a group that may use the agent"
        )
        return Fault("/owner", detail)
    return None


def _lock_active(user: User) -> bool:
    """Return whether an account is active; until the commit, it cannot be closed.

    Several transactions can hold this lock at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_ACTIVE, [user.pk])
        return cursor.fetchone() is not None
