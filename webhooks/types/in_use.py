"""Who changes a type waits for who gives an endpoint this type, and the other way.

There may be no row to lock: a shipped type has none, nor has one that is uploaded now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connection
from django.db.models import Count, Q, QuerySet

from common.errors import Conflict, Fault
from senders.definitions import (
    GENERIC,
    WebhookTypeDefinition,
    get_shipped,
    resolve,
)
from senders.definitions.schemes import AnyScheme, CertificateScheme
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


_TYPE = 0x74797065


def hold_type(slug: str) -> None:
    """Let nobody else change this type, or use it anew, until the transaction ends."""
    _hold("pg_advisory_xact_lock", slug)


def hold_type_shared(slug: str) -> None:
    """Let nobody change this type until the transaction ends."""
    _hold("pg_advisory_xact_lock_shared", slug)


def _hold(function: str, slug: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, hashtext(%s))", [_TYPE, slug.lower()])


class GenericStays(Conflict):
    """`generic` can be neither replaced nor deleted; upload under another slug."""

    code = "generic_type_stays"


def refuse_generic(slug: str) -> None:
    if slug == GENERIC:
        raise GenericStays


def refuse_other_verification(
    old: WebhookTypeDefinition, new: WebhookTypeDefinition
) -> None:
    """Raise WebhookTypeInUse if requests to endpoints would be verified otherwise.

    Their senders go on signing as they do, and what they need not prove any more,
    anybody could send.
    """
    if _verification(old) != _verification(new):
        why = "How requests of this type are verified can't change while it is used"
        refuse_while_used(old.slug, why=why)


def find_fetch_faults(definition: WebhookTypeDefinition) -> Iterator[Fault]:
    """Find what of an upload would have this machine ask addresses of others' choice.

    Only a shipped type names the hosts that are asked; an upload under its slug may
    keep that as it is.
    """
    shipped = get_shipped(definition.slug) or resolve(GENERIC)
    if definition.confirmation not in (None, shipped.confirmation):
        yield Fault("/confirmation", "Only shipped types may ask a URL")
    scheme = definition.signature
    if _asks_certificates(definition) and scheme != shipped.signature:
        yield Fault("/signature", "Only shipped types may fetch certificates")


def _asks_certificates(definition: WebhookTypeDefinition) -> bool:
    scheme = definition.signature
    schemes = scheme.of if isinstance(scheme, AnyScheme) else (scheme,)
    return any(isinstance(one, CertificateScheme) for one in schemes)


def _verification(definition: WebhookTypeDefinition) -> tuple[object, ...]:
    return (
        definition.signature,
        definition.signature_required,
        definition.config_matches,
        [one for one in definition.handshakes if not one.is_signed],
    )
