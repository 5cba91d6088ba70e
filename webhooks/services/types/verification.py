from __future__ import annotations

from common.errors import Conflict
from webhooks.definitions import GENERIC, WebhookTypeDefinition
from webhooks.services.types.uses import refuse_while_used


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


def _verification(definition: WebhookTypeDefinition) -> tuple[object, ...]:
    return (
        definition.signature,
        definition.signature_required,
        definition.config_matches,
    )
