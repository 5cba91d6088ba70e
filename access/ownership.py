"""Who owns a row, and the warning when its owner's account is closed.

An owner is lost when the account is deactivated or deleted. `owner_lost_at` says since
when, also after the deletion has set `owner` to null. The signals of the model User
keep it up to date. The hourly check does the same for a change without a signal, such
as an UPDATE of many accounts.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.models.signals import post_save, pre_delete
from django.dispatch import receiver

from common.registry import Registry

logger = logging.getLogger(__name__)

# How long a trigger goes on without an active owner.
GRACE = timedelta(days=7)
BATCH = 1000
MAX_LOGGED_IDS = 20


class Owned(models.Model):
    """A row that belongs to a user, and to all active members of some groups.

    A row with neither `owner` nor `owner_lost_at` never had an owner.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        limit_choices_to={"is_active": True},
        related_name="owned_%(class)ss",
    )
    owner_groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="owned_%(class)ss",
        verbose_name="owned together with",
    )
    owner_lost_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedKind:
    """A model whose rows have owners.

    `present` returns the rows that are not deleted, and `open_to` those of some rows
    that a user may own. `agent_column` names the id of a row's agent. `handed_over` are
    the further columns that change with the owner.
    """

    present: Callable[[], QuerySet[Any]]
    open_to: Callable[[QuerySet[Any], User], QuerySet[Any]]
    agent_column: str
    handed_over: Mapping[str, Any]


owned_kinds: Registry[OwnedKind] = Registry("kind of owned rows")


def rows_of(owner: User | None) -> Iterator[tuple[str, QuerySet[Any]]]:
    """Yield the rows that an account owns, by their kind.

    None stands for all deleted accounts.
    """
    for name in owned_kinds.names():
        rows = owned_kinds[name].present().filter(owner=owner)
        yield name, rows if owner else rows.exclude(owner_lost_at=None)


def count_owned(owner: User | None) -> dict[str, int]:
    """Return how many rows an account owns, by those kinds of which it owns any.

    None stands for all deleted accounts.
    """
    counts = {name: rows.count() for name, rows in rows_of(owner)}
    return {name: count for name, count in counts.items() if count}


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts in words: 2 agents and 1 trigger."""
    words = (
        f"{count:,} {name if count > 1 else name.removesuffix('s')}"
        for name, count in counts.items()
    )
    return " and ".join(words)


def lock_batch(rows: QuerySet[Any], *, after: object = None) -> list[tuple[Any, int]]:
    """Lock the next rows by their keys; return their ids, and those of their owners."""
    held = rows.order_by("pk").select_for_update(no_key=True, of=("self",))
    if after is not None:
        held = held.filter(pk__gt=after)
    return list(held.values_list("pk", "owner_id")[:BATCH])


def refresh_lost_owners() -> None:
    """Correct `owner_lost_at` after changes of accounts that sent no signal."""
    _mark(owner__is_active=False)
    _clear(owner__is_active=True)


@receiver(post_save, sender=User, dispatch_uid="owners")
def _follow_account(
    instance: User,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None,
    **_: Any,
) -> None:
    """Note that an account was deactivated, or is active again."""
    is_kept = update_fields is not None and "is_active" not in update_fields
    if created or raw or is_kept:
        return
    if instance.is_active:
        _clear(owner=instance)
    else:
        _mark(owner=instance)


@receiver(pre_delete, sender=User, dispatch_uid="owners")
def _follow_deletion(instance: User, **_: Any) -> None:
    """Note that an account is deleted, in the transaction that deletes it."""
    # A hand-over to this account holds its row until it has committed.
    list(User.objects.select_for_update().filter(pk=instance.pk).values_list("pk"))
    _mark(owner=instance)


def _mark(**owners: object) -> None:
    """Note that the owners of rows are lost from now on; warn once per account."""
    lost: dict[int, dict[str, list[object]]] = defaultdict(dict)
    with transaction.atomic():
        for name in owned_kinds.names():
            rows = owned_kinds[name].present().filter(owner_lost_at=None, **owners)
            for pk, owner_id in _set_lost_at(rows, Now()):
                lost[owner_id].setdefault(name, []).append(pk)
        for owner_id, owned in lost.items():
            transaction.on_commit(partial(_warn, owner_id, owned))


def _clear(**owners: object) -> None:
    with transaction.atomic():
        for name in owned_kinds.names():
            rows = owned_kinds[name].present().filter(**owners)
            _set_lost_at(rows.exclude(owner_lost_at=None), None)


def _set_lost_at(rows: QuerySet[Any], at: Now | None) -> list[tuple[Any, int]]:
    """Set `owner_lost_at` of rows; return their ids, and those of their owners."""
    changed: list[tuple[Any, int]] = []
    batch = lock_batch(rows)
    while batch:
        chosen = rows.model._default_manager.filter(pk__in=[pk for pk, _ in batch])
        chosen.update(owner_lost_at=at)
        changed += batch
        batch = lock_batch(rows, after=batch[-1][0])
    return changed


def _warn(owner_id: int, owned: Mapping[str, Sequence[object]]) -> None:
    texts = []
    for name, ids in owned.items():
        shown = ", ".join(str(pk) for pk in ids[:MAX_LOGGED_IDS])
        more = ", …" if len(ids) > MAX_LOGGED_IDS else ""
        texts.append(f"{counts_text({name: len(ids)})} ({shown}{more})")
    logger.warning(
        "The account of user %s was closed; it owns %s. Set another owner: triggers "
        "without an active owner are disabled after %d days.",
        owner_id,
        " and ".join(texts),
        GRACE.days,
    )
