"""What is known of a sender now, as the door and the workers ask for it.

A version never changes and its id is never used again. So what was made of it is kept
in each process, and whoever knows the present id needs no query.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

from common.errors import ServiceUnavailable
from senders.definitions import (
    GENERIC,
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
    resolve,
)
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion

logger = logging.getLogger(__name__)

MAX_KEPT = 128


class WebhookTypeUnusable(ServiceUnavailable):
    """The stored description of this webhook type can't be read; upload it again."""

    code = "webhook_type_unusable"


def definition_of(slug: str) -> WebhookTypeDefinition:
    """Return what is known of a sender now; an unknown one is `generic`."""
    return find_definition(slug) or resolve(GENERIC)


def definition_at(slug: str, revision: UUID | None) -> WebhookTypeDefinition:
    """Return the definition that counts for an endpoint of this type.

    `revision` is the type's current one, None if nothing is uploaded. The endpoint of a
    type that was deleted is `generic`, but never open: with its type went what it
    demanded of a request.
    """
    if known := _known(slug, revision):
        return known
    generic = resolve(GENERIC)
    if not WebhookTypeVersion.objects.filter(slug=slug.lower()).exists():
        return generic
    return replace(generic, slug=slug.lower(), signature_required=True)


def definition_for(endpoint: WebhookEndpoint) -> WebhookTypeDefinition:
    """Return the definition that counts for an endpoint now."""
    return definition_at(endpoint.type, current_revision(endpoint.type))


def definitions_of(slugs: Iterable[str]) -> dict[str, WebhookTypeDefinition]:
    """Return what is known of many senders; what can't be read is left out."""
    wanted = {slug.lower() for slug in slugs}
    revisions = current_revisions(wanted) if wanted else {}
    found = {}
    for slug in wanted:
        try:
            found[slug] = _known(slug, revisions.get(slug)) or resolve(GENERIC)
        except WebhookTypeUnusable:
            logger.warning("Webhook type %s can't be read", slug)
    return found


def find_definition(slug: str) -> WebhookTypeDefinition | None:
    """Return what is known of a sender now; None for an unknown one."""
    return _known(slug, current_revision(slug))


def current_revision(slug: str) -> UUID | None:
    return current_revisions([slug.lower()]).get(slug.lower())


def current_revisions(slugs: Iterable[str]) -> Mapping[str, UUID]:
    rows = WebhookType.objects.filter(slug__in=list(slugs))
    return dict(rows.values_list("slug", "current_id"))


def _known(slug: str, revision: UUID | None) -> WebhookTypeDefinition | None:
    return get_shipped(slug) if revision is None else _load(revision)


@lru_cache(maxsize=MAX_KEPT)
def _load(revision: UUID) -> WebhookTypeDefinition:
    version = WebhookTypeVersion.objects.filter(pk=revision).first()
    if version is None:
        raise WebhookTypeUnusable
    try:
        return load_definition(version.document)
    except InvalidDefinition as error:
        raise WebhookTypeUnusable from error
