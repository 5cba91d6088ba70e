"""Keeps the types that endpoints use from being deleted or verified differently."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Count, Q, QuerySet

from common.errors import Conflict
from senders.definitions import WebhookTypeDefinition
from webhooks.models import WebhookEndpoint

MAX_NAMED = 5
_TYPE_LOCK = 0x74797065


class WebhookTypeInUse(Conflict):
    """Endpoints use this webhook type."""

    code = "webhook_type_in_use"


def lock_type(slug: str) -> None:
    """Wait for all other changes and uses of this type; hold it for the transaction.

    The lock is an advisory one, because there may be no row: a shipped type has none,
    and neither has a type that is being uploaded for the first time.
    """
    _lock("pg_advisory_xact_lock", slug)


def lock_type_shared(slug: str) -> None:
    """Wait for changes of this type and prevent others until the transaction ends."""
    _lock("pg_advisory_xact_lock_shared", slug)


def count_endpoints(
    slugs: Iterable[str], endpoints: QuerySet[WebhookEndpoint]
) -> dict[str, int]:
    """Return how many of these endpoints use each of these types."""
    rows = _in_use(endpoints).filter(type__in=list(slugs)).order_by()
    counted = rows.values_list("type").annotate(Count("id", distinct=True))
    return dict(counted)


def require_unused(slug: str, *, why: str) -> None:
    """Raise WebhookTypeInUse, naming the endpoints, if any endpoint uses this type."""
    rows = _in_use(WebhookEndpoint.objects.all()).filter(type=slug).order_by("id")
    used = list(rows.values_list("id", flat=True).distinct())
    if not used:
        return
    named = ", ".join(str(pk) for pk in used[:MAX_NAMED])
    more = f" and {len(used) - MAX_NAMED} more" if len(used) > MAX_NAMED else ""
    number = "1 endpoint uses" if len(used) == 1 else f"{len(used)} endpoints use"
    raise WebhookTypeInUse(f"{why}: {number} it ({named}{more})")


def require_same_verification(
    old: WebhookTypeDefinition, new: WebhookTypeDefinition
) -> None:
    """Raise WebhookTypeInUse if endpoints would verify requests differently.

    The senders keep signing as before, so a stricter check would reject them. A weaker
    one would accept requests from anyone.
    """
    if _verification(old) != _verification(new):
        why = "The verification of this type cannot change while endpoints use it"
        require_unused(old.slug, why=why)


def _lock(function: str, slug: str) -> None:
    with connection.cursor() as cursor:
        sql = f"SELECT {function}(%s, hashtext(%s))"
        cursor.execute(sql, [_TYPE_LOCK, slug.lower()])


def _in_use(endpoints: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    """Return endpoints that are open, or closed while triggers still name them."""
    is_named = Q(triggers__isnull=False, triggers__deleted_at__isnull=True)
    return endpoints.filter(Q(is_active=True) | is_named)


def _verification(definition: WebhookTypeDefinition) -> tuple[object, ...]:
    return (
        definition.signature,
        definition.signature_required,
        definition.config_matches,
        definition.config_auth,
        [one for one in definition.handshakes if not one.is_signed],
    )
