from __future__ import annotations

from django.db import transaction

from common.errors import Conflict
from senders.definitions import get_shipped
from webhooks.models import WebhookType
from webhooks.types.catalogue import WebhookTypeNotFound
from webhooks.types.definitions import WebhookTypeUnusable, find_definition
from webhooks.types.locks import hold_type
from webhooks.types.uses import refuse_while_used
from webhooks.types.verification import (
    refuse_generic,
    refuse_other_verification,
)


class ShippedStays(Conflict):
    """This webhook type is shipped; only what was uploaded can be deleted."""

    code = "shipped_type_stays"


def delete_type(*, slug: str) -> None:
    """Delete an uploaded type; its versions are kept.

    What was shipped under the slug counts again. Raises WebhookTypeInUse while there
    are endpoints that would lose their type, or be verified otherwise; GenericStays,
    ShippedStays and WebhookTypeNotFound.
    """
    slug = slug.lower()
    refuse_generic(slug)
    with transaction.atomic():
        hold_type(slug)
        row = WebhookType.objects.filter(pk=slug).first()
        if row is None:
            raise WebhookTypeNotFound if get_shipped(slug) is None else ShippedStays
        _refuse_while_needed(slug)
        row.delete()


def _refuse_while_needed(slug: str) -> None:
    shipped = get_shipped(slug)
    if shipped is None:
        refuse_while_used(slug, why="This type can't be deleted while it is used")
        return
    try:
        uploaded = find_definition(slug)
    except WebhookTypeUnusable:  # the shipped one is better than none
        return
    if uploaded is not None:
        refuse_other_verification(uploaded, shipped)
