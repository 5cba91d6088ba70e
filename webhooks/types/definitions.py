"""What the receiver and the workers share: definitions, and what an event keeps.

The receiver checks a request by the definition of its webhook type, and a worker parses
the request that the event keeps by the same definition.

A version never changes and its id is never reused. Each process therefore caches the
definitions that it has loaded, and a caller that knows the current id needs no query.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from common.errors import ServiceUnavailable
from common.fields import dump_json
from senders.definitions import (
    GENERIC,
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
    resolve,
    slug_of_alias,
)
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion

logger = logging.getLogger(__name__)

MAX_CACHED = 128


class WebhookTypeUnusable(ServiceUnavailable):
    """The stored description of this webhook type is not valid; upload it again."""

    code = "webhook_type_unusable"


def definition_of(slug: str) -> WebhookTypeDefinition:
    """Return the current definition of a type; an unknown type is `generic`."""
    return find_definition(slug) or resolve(GENERIC)


def definition_at(slug: str, revision: UUID | None) -> WebhookTypeDefinition:
    """Return the definition for an endpoint of this type.

    `revision` is the type's current one, None if nothing is uploaded. A deleted type
    becomes `generic` but requires a signature: the endpoint must not become open when
    the checks of its type are gone.
    """
    if definition := _find_at(slug, revision):
        return definition
    generic = resolve(GENERIC)
    if not WebhookTypeVersion.objects.filter(slug=slug.lower()).exists():
        return generic
    return replace(generic, slug=slug.lower(), signature_required=True)


def definition_for(endpoint: WebhookEndpoint) -> WebhookTypeDefinition:
    """Return the current definition for an endpoint."""
    return definition_at(endpoint.type, _current_revision(endpoint.type))


def definitions_of(slugs: Iterable[str]) -> dict[str, WebhookTypeDefinition]:
    """Return the current definitions of many types, without those not valid."""
    wanted = {slug.lower() for slug in slugs}
    revisions = _current_revisions(wanted) if wanted else {}
    found = {}
    for slug in wanted:
        try:
            found[slug] = _find_at(slug, revisions.get(slug)) or resolve(GENERIC)
        except WebhookTypeUnusable:
            logger.warning(
                "The stored description of webhook type %s is not valid", slug
            )
    return found


def find_definition(slug: str) -> WebhookTypeDefinition | None:
    """Return the current definition of a type; None for an unknown type."""
    return _find_at(slug, _current_revision(slug))


def find_named(name: str) -> WebhookTypeDefinition | None:
    """Return the current definition of a type by its slug or alias; None if unknown.

    A slug, also one of an uploaded type, takes precedence over an alias.
    """
    if definition := find_definition(name):
        return definition
    slug = slug_of_alias(name)
    return find_definition(slug) if slug else None


def _current_revision(slug: str) -> UUID | None:
    return _current_revisions([slug.lower()]).get(slug.lower())


def _current_revisions(slugs: Iterable[str]) -> Mapping[str, UUID]:
    rows = WebhookType.objects.filter(slug__in=list(slugs))
    return dict(rows.values_list("slug", "current_id"))


def _find_at(slug: str, revision: UUID | None) -> WebhookTypeDefinition | None:
    return get_shipped(slug) if revision is None else _load(revision)


@lru_cache(maxsize=MAX_CACHED)
def _load(revision: UUID) -> WebhookTypeDefinition:
    version = WebhookTypeVersion.objects.filter(pk=revision).first()
    if version is None:
        raise WebhookTypeUnusable
    try:
        return load_definition(version.document)
    except InvalidDefinition as error:
        raise WebhookTypeUnusable from error


def has_validation_code(definition: WebhookTypeDefinition) -> bool:
    """Return whether the code of the type must accept its deliveries."""
    return definition.validation_required and bool(definition.validation_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """The content of `Event.request`. Only this class knows the names of its members.

    With `is_validated`, the receiver has run the validation code of the type and it
    accepted the request. If not, the worker runs it: the receiver runs the code only
    for a sender that has proved its identity. `read_as` and `warning` are those of the
    parsed body.
    """

    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    remote_address: str = ""
    is_validated: bool = False
    read_as: str = ""
    warning: str = ""

    def to_json(self) -> str:
        kept: dict[str, object] = {
            "method": self.method,
            "headers": self.headers,
            "query": self.query,
            "remote_address": self.remote_address,
        }
        # Most requests have none of these, so they are left out where they are empty.
        if self.is_validated:
            kept["validated"] = True
        if self.read_as:
            kept["read_as"] = self.read_as
        if self.warning:
            kept["warnings"] = [self.warning]
        return dump_json(kept)

    @classmethod
    def from_event(cls, request: Mapping[str, Any] | None) -> StoredRequest:
        """Return what an event keeps, also of earlier releases and other sources."""
        kept = request or {}
        return cls(
            method=kept.get("method", ""),
            headers=kept.get("headers", {}),
            query=kept.get("query", {}),
            remote_address=kept.get("remote_address", ""),
            is_validated=kept.get("validated") is True,
            read_as=kept.get("read_as", ""),
            warning="".join(kept.get("warnings", ())),
        )
