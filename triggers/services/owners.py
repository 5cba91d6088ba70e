"""Disables the triggers whose owners may no longer run their agents.

The sweep does it once an hour for the installation. A trigger without an owner, and
without one that was lost, is not checked. While an active member of one of its owner
groups may use its agent, a trigger goes on.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from access.callers import Caller
from access.ownership import GRACE, OwnedKind, owned_kinds, refresh_lost_owners
from access.policy import visible
from agents.access import usable_agents
from agents.services.users import with_access, without_access
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


def ownerless(rows: TriggerQuerySet) -> dict[UUID, OwnerReason]:
    """Return those of the triggers that have lost their owners, with the reason.

    Only active triggers that are not paused are looked at.
    """
    going = rows.active().filter(Q(paused_until=None) | Q(paused_until__lte=Now()))
    lost = without_access(going.filter(owner__is_active=True), user="owner")
    gone = going.filter(Q(owner=None) | Q(owner__is_active=False))
    gone = gone.filter(owner_lost_at__lte=Now() - GRACE)
    found = {
        **dict.fromkeys(lost.values_list("pk", flat=True), OwnerReason.LOST_ACCESS),
        **dict.fromkeys(gone.values_list("pk", flat=True), OwnerReason.GONE),
    }
    kept = _kept_by_groups(found)
    return {pk: found[pk] for pk in sorted(found.keys() - kept)}


def _kept_by_groups(trigger_ids: Collection[UUID]) -> set[UUID]:
    """Return the triggers of whose owner groups an active member may use the agent.

    Many triggers have the same group and agent: each pair is looked at once.
    """
    if not trigger_ids:
        return set()
    links = Trigger.owner_groups.through.objects.filter(trigger__in=trigger_ids)
    pairs: dict[tuple[int, UUID], list[tuple[int, UUID]]] = defaultdict(list)
    columns = ("group", "trigger__agent", "pk", "trigger")
    for group, agent, pk, trigger_id in links.values_list(*columns):
        pairs[group, agent].append((pk, trigger_id))
    firsts = links.filter(pk__in=[found[0][0] for found in pairs.values()])
    opened = with_access(firsts, agent="trigger__agent")
    return {
        trigger_id
        for pair in opened.values_list("group", "trigger__agent")
        for _, trigger_id in pairs[pair]
    }


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


def _open_to(rows: QuerySet[Any], user: User) -> QuerySet[Any]:
    """Return the triggers that a user may see and whose agents the user may use."""
    caller = Caller(user)
    return visible(rows.filter(agent__in=usable_agents(caller)), caller)


owned_kinds.register("triggers")(
    OwnedKind(
        present=Trigger.objects.present,
        open_to=_open_to,
        agent_column="agent_id",
        handed_over={"version": F("version") + 1, "updated_at": Now()},
    )
)
