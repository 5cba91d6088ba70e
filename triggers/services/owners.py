"""Disables the triggers whose owners may no longer run their agents.

The sweep does it once an hour for the installation. A trigger without an owner, and
without one that was lost, is not checked. While an active member of one of its owner
groups may use its agent, a trigger goes on.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now

from access.ownership import GRACE, OwnedKind, owned_kinds, refresh_lost_owners
from agents.services.users import users_of_agent
from agents.services.workers import finish_turn, take_turn
from triggers.models import OwnerReason, Trigger, TriggerQuerySet
from triggers.services.lifecycle import disable_trigger
from triggers.services.stats import lock_stats

logger = logging.getLogger(__name__)

TURN = "owners"
EVERY_SECONDS = 3600.0
PAGE = 1000
# More are left to the next sweep, so that its other steps need not wait for long.
MAX_DISABLED = 200


def check_owners() -> int:
    """Disable triggers that have lost their owners; return how many.

    Does nothing, and returns 0, until the next check is due.
    """
    if not take_turn(TURN):
        return 0
    refresh_lost_owners()
    disabled = disable_ownerless()
    is_done = disabled < MAX_DISABLED
    finish_turn(TURN, seconds=EVERY_SECONDS if is_done else 0, keeps=True)
    return disabled


def disable_ownerless() -> int:
    """Disable triggers that have lost their owners, up to a limit; return how many.

    Each page costs the same number of queries, however many owners it has.
    """
    owned = Trigger.objects.active().exclude(owner=None, owner_lost_at=None)
    ids = owned.order_by("pk").values_list("pk", flat=True)
    disabled = 0
    page = list(ids[:PAGE])
    while page:
        for trigger_id in ownerless(Trigger.objects.filter(pk__in=page)):
            disabled += _disable(trigger_id)
            if disabled == MAX_DISABLED:
                return disabled
        page = list(ids.filter(pk__gt=page[-1])[:PAGE])
    return disabled


def ownerless(rows: TriggerQuerySet) -> dict[UUID, str]:
    """Return those of the triggers that have lost their owners, with the reason.

    Only active triggers that are not paused are looked at.
    """
    users = users_of_agent(OuterRef("agent_id"))
    groups = Trigger.owner_groups.through.objects.filter(
        trigger=OuterRef(OuterRef("pk"))
    )
    is_lost = Q(owner__is_active=True) & ~Exists(users.filter(pk=OuterRef("owner_id")))
    is_gone = (Q(owner=None) | Q(owner__is_active=False)) & Q(
        owner_lost_at__lte=Now() - GRACE
    )
    found = (
        rows.active()
        .filter(Q(paused_until=None) | Q(paused_until__lte=Now()))
        .filter(is_lost | is_gone)
        .exclude(Exists(users.filter(groups__in=groups.values("group"))))
        .annotate(
            owner_reason=Case(
                When(owner__is_active=True, then=Value(OwnerReason.LOST_ACCESS)),
                default=Value(OwnerReason.GONE),
            )
        )
    )
    return dict(found.order_by("pk").values_list("pk", "owner_reason"))


def _disable(trigger_id: UUID) -> bool:
    """Disable a trigger if it still has no owner once its row is locked."""
    with transaction.atomic():
        lock_stats([trigger_id])
        rows = Trigger.objects.filter(pk=trigger_id)
        list(rows.select_for_update(no_key=True).values_list("pk"))
        reason = ownerless(rows).get(trigger_id)
        if reason is None:
            return False
        disable_trigger(trigger_id=trigger_id, reason=reason)
    logger.warning("Trigger %s was disabled: %s", trigger_id, reason)
    return True


def _open_to(triggers: QuerySet[Any], user: User) -> QuerySet[Any]:
    users = users_of_agent(OuterRef("agent_id"))
    return triggers.filter(Exists(users.filter(pk=user.pk)))


owned_kinds.register("triggers")(
    OwnedKind(
        present=Trigger.objects.present,
        open_to=_open_to,
        agent_column="agent_id",
        handed_over={"version": F("version") + 1, "updated_at": Now()},
    )
)
