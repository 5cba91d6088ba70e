"""Lists the webhook types and returns their current and earlier versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from senders.definitions import (
    GENERIC,
    get_shipped,
    shipped_document,
    shipped_names,
    shipped_slugs,
)
from senders.parsing.finding import UNKNOWN_EVENT_TYPE
from webhooks.models import WebhookEndpoint, WebhookType, WebhookTypeVersion
from webhooks.types.definitions import definitions_of
from webhooks.types.in_use import count_endpoints

SHIPPED = "shipped"
UPLOADED = "uploaded"
MAX_CLOSEST = 4
MAX_NAME_LENGTH = 50
MIN_STEM_LENGTH = 3


class WebhookTypeNotFound(NotFound):
    """There is no webhook type with this name."""

    code = "webhook_type_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSummary:
    """One type in the list of all types; a shipped type has no version."""

    slug: str
    name: str
    source: str
    version: int | None
    is_shipped_too: bool
    in_use: int
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentType:
    """The current document of a type; `revision` is None if nothing was uploaded."""

    slug: str
    document: Mapping[str, Any]
    version: int | None = None
    revision: UUID | None = None

    @property
    def source(self) -> str:
        return SHIPPED if self.revision is None else UPLOADED


def known_slugs() -> list[str]:
    """Return the slugs of all types, shipped and uploaded."""
    uploaded = WebhookType.objects.values_list("slug", flat=True)
    return sorted({*shipped_slugs(), *uploaded})


def explain_unknown(name: str) -> str:
    """Say that there is no type with this name, and name those that may be meant."""
    slugs = {**shipped_names(), **{slug: slug for slug in known_slugs()}}
    names, written = sorted(slugs), name[:MAX_NAME_LENGTH].strip().lower()
    # `git` and `stripe-webhook` differ from every slug in most of their letters.
    stem = written.partition("-")[0]
    is_stem = len(stem) >= MIN_STEM_LENGTH
    similar = [one for one in names if is_stem and one.startswith(stem)]
    similar += get_close_matches(written, names, n=MAX_CLOSEST)
    closest = list(dict.fromkeys(slugs[one] for one in similar))[:MAX_CLOSEST]
    meant = " or ".join(f"'{slug}'" for slug in closest)
    hint = f"; did you mean {meant}?" if closest else "."
    return (
        f"There is no webhook type '{written}'{hint} GET /api/v1/webhook-types lists "
        f"all types; '{GENERIC}' is for other senders, or upload a type"
    )


def explain_never_sent(pattern: str) -> str | None:
    """Say why no delivery has an event type of this pattern; None if some may have.

    Only the names of shipped types whose event types are all known are checked.
    """
    slug, dot, name = pattern.partition(".")
    if not dot and slug in known_slugs():
        return f"No event has only the type '{slug}'; did you mean '{slug}.*'?"
    definition = get_shipped(slug)
    if definition is None or definition.events is None or name == "*":
        return None
    if WebhookType.objects.filter(pk=definition.slug).exists():
        return None
    known = {*definition.events, UNKNOWN_EVENT_TYPE}
    if name in known:
        return None
    prefix = name.removesuffix("*")
    if prefix != name and any(one.startswith(prefix) for one in known):
        return None
    stems = [one for one in known if f"{name}.".startswith(f"{one}.")]
    closest = stems or get_close_matches(name, sorted(known), n=1)
    hint = f"; did you mean '{slug}.{closest[0]}'?" if closest else "."
    return (
        f"{definition.name} sends no event '{name}'{hint} '{slug}.*' matches all of "
        "its events; what happened in detail can be read from the body by conditions"
    )


def summarize_types(
    slugs: Sequence[str], endpoints: QuerySet[WebhookEndpoint]
) -> list[TypeSummary]:
    """Return a summary per slug, in this order, with three queries in total.

    `in_use` counts those of the given endpoints that use the type.
    """
    rows = WebhookType.objects.select_related("current").defer("current__document")
    uploaded = {row.slug: row for row in rows.filter(slug__in=list(slugs))}
    definitions, counts = definitions_of(slugs), count_endpoints(slugs, endpoints)
    shipped = set(shipped_slugs())
    return [
        TypeSummary(
            slug=slug,
            name=definitions[slug].name if slug in definitions else slug,
            source=UPLOADED if slug in uploaded else SHIPPED,
            version=uploaded[slug].current.version if slug in uploaded else None,
            is_shipped_too=slug in uploaded and slug in shipped,
            in_use=counts.get(slug, 0),
            updated_at=uploaded[slug].updated_at if slug in uploaded else None,
        )
        for slug in slugs
    ]


def current_type(slug: str) -> CurrentType:
    """Return the current document of a type; raise WebhookTypeNotFound."""
    row = WebhookType.objects.select_related("current").filter(pk=slug.lower()).first()
    if row is not None:
        version = row.current
        return CurrentType(
            slug=row.slug,
            document=version.document,
            version=version.version,
            revision=version.id,
        )
    if document := shipped_document(slug):
        return CurrentType(slug=slug.lower(), document=document)
    raise WebhookTypeNotFound


def list_versions(slug: str) -> QuerySet[WebhookTypeVersion]:
    """Return all versions that were uploaded under a slug, the latest first.

    Raises WebhookTypeNotFound if the type neither exists nor ever existed.
    """
    versions = WebhookTypeVersion.objects.filter(slug=slug.lower())
    if not versions.exists():
        current_type(slug)
    return versions.order_by("-version")


def get_version(slug: str, number: int) -> WebhookTypeVersion:
    version = list_versions(slug).filter(version=number).first()
    if version is None:
        raise WebhookTypeNotFound("This webhook type has no version with this number")
    return version
