from __future__ import annotations

from collections.abc import Iterator

from common.errors import Conflict, Fault
from senders.definitions import (
    GENERIC,
    WebhookTypeDefinition,
    get_shipped,
    resolve,
)
from senders.definitions.schemes import AnyScheme, CertificateScheme
from webhooks.types.uses import refuse_while_used


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
