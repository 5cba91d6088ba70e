from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from common.errors import Conflict
from webhooks.models import WebhookEndpoint

MAX_NAMED = 5


class WebhookTypeInUse(Conflict):
    """Endpoints use this webhook type."""

    code = "webhook_type_in_use"


def uses_of(slug: str) -> QuerySet[WebhookEndpoint]:
    """Return the endpoints of a type that receive, or could again."""
    return _in_use().filter(type=slug)


def count_uses(slugs: Iterable[str]) -> dict[str, int]:
    """Return how many endpoints use each of these types."""
    rows = _in_use().filter(type__in=list(slugs)).order_by()
    counted = rows.values_list("type").annotate(Count("id", distinct=True))
    return dict(counted)


def refuse_while_used(slug: str, *, why: str) -> None:
    """Raise WebhookTypeInUse, which names the endpoints, where there are any."""
    used = list(uses_of(slug).order_by("id").values_list("id", flat=True).distinct())
    if not used:
        return
    named = ", ".join(str(pk) for pk in used[:MAX_NAMED])
    more = f" and {len(used) - MAX_NAMED} more" if len(used) > MAX_NAMED else ""
    number = "1 endpoint uses" if len(used) == 1 else f"{len(used)} endpoints use"
    raise WebhookTypeInUse(f"{why}: {number} it ({named}{more})")


def _in_use() -> QuerySet[WebhookEndpoint]:
    """Return endpoints that are open, or closed while triggers still name them."""
    is_named = Q(triggers__isnull=False, triggers__deleted_at__isnull=True)
    return WebhookEndpoint.objects.filter(Q(is_active=True) | is_named)
