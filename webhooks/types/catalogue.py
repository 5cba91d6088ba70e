"""Which types there are, and what each of them is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from common.errors import NotFound
from senders.definitions import shipped_document, shipped_slugs
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types.definitions import definitions_of
from webhooks.types.in_use import count_uses

SHIPPED = "shipped"
UPLOADED = "uploaded"


class WebhookTypeNotFound(NotFound):
    """There is no such webhook type."""

    code = "webhook_type_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSummary:
    """One type in the list of all. A shipped one has no version."""

    slug: str
    name: str
    source: str
    version: int | None
    is_shipped_too: bool
    in_use: int
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What a type is now. `revision` is None for one that is only shipped."""

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


def list_types() -> list[TypeSummary]:
    return summaries_of(known_slugs())


def summaries_of(slugs: Sequence[str]) -> list[TypeSummary]:
    """Describe these types, in their order; three queries for any number."""
    uploaded = _uploaded(slugs)
    definitions, uses = definitions_of(slugs), count_uses(slugs)
    shipped = set(shipped_slugs())
    return [
        TypeSummary(
            slug=slug,
            name=definitions[slug].name if slug in definitions else slug,
            source=UPLOADED if slug in uploaded else SHIPPED,
            version=uploaded[slug].current.version if slug in uploaded else None,
            is_shipped_too=slug in uploaded and slug in shipped,
            in_use=uses.get(slug, 0),
            updated_at=uploaded[slug].updated_at if slug in uploaded else None,
        )
        for slug in slugs
    ]


def current_type(slug: str) -> Current:
    """Return what a type is now; raise WebhookTypeNotFound."""
    row = WebhookType.objects.select_related("current").filter(pk=slug.lower()).first()
    if row is not None:
        version = row.current
        return Current(
            slug=row.slug,
            document=version.document,
            version=version.version,
            revision=version.id,
        )
    if document := shipped_document(slug):
        return Current(slug=slug.lower(), document=document)
    raise WebhookTypeNotFound


def versions_of(slug: str) -> QuerySet[WebhookTypeVersion]:
    """Return all that was uploaded under a slug, the latest first.

    Raises WebhookTypeNotFound where there neither is nor was such a type.
    """
    versions = WebhookTypeVersion.objects.filter(slug=slug.lower())
    if not versions.exists():
        current_type(slug)
    return versions.order_by("-version")


def version_of(slug: str, number: int) -> WebhookTypeVersion:
    version = versions_of(slug).filter(version=number).first()
    if version is None:
        raise WebhookTypeNotFound("There is no such version of this webhook type")
    return version


def _uploaded(slugs: Iterable[str]) -> dict[str, WebhookType]:
    rows = WebhookType.objects.select_related("current").defer("current__document")
    return {row.slug: row for row in rows.filter(slug__in=list(slugs))}
