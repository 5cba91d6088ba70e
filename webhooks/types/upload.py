from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from common.errors import Conflict, Fault
from common.fields import dump_json
from events.services.emit import is_reserved_namespace
from senders.definitions import (
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
)
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types.catalogue import current_type
from webhooks.types.code import find_code_faults
from webhooks.types.definitions import WebhookTypeUnusable, find_definition
from webhooks.types.documents import (
    Document,
    check_size,
    complete,
    merge,
    name_slug,
)
from webhooks.types.locks import hold_type
from webhooks.types.verification import (
    find_fetch_faults,
    refuse_generic,
    refuse_other_verification,
)


class SlugTaken(Conflict):
    """Events of the house itself begin with this name; choose another slug."""

    code = "webhook_type_slug_taken"


class ChangedMeanwhile(Conflict):
    """The webhook type was changed meanwhile; read it again."""

    code = "webhook_type_changed"


MAX_TOLD = 5
# Stands for whatever version there is.
_ANY = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedType:
    """An uploaded type as stored.

    `is_new` says whether nothing was uploaded under its slug before this.
    """

    slug: str
    version: int
    document: Mapping[str, Any]
    is_new: bool = False


def upload_type(
    *, document: Mapping[str, Any], slug: str | None = None, by: str = ""
) -> UploadedType:
    """Take a description of a sender, in the format of the shipped ones.

    Raises InvalidDefinition, GenericStays, SlugTaken and WebhookTypeInUse. Uploaded
    again without a change, it makes no new version.
    """
    check_size(document)
    slug = name_slug(document, slug)
    refuse_generic(slug)
    whole = complete(document, slug)
    definition = _check(whole)
    with transaction.atomic():
        hold_type(slug)
        return _store(whole, definition, by=by)


def patch_type(*, document: Mapping[str, Any], slug: str, by: str = "") -> UploadedType:
    """Change the given fields of a type; null takes a field away.

    Raises WebhookTypeNotFound and ChangedMeanwhile besides what `upload_type` does.
    """
    check_size(document)
    slug = name_slug(document, slug)
    refuse_generic(slug)
    before = current_type(slug)
    whole = merge(before.document, document, slug)
    definition = _check(whole)
    with transaction.atomic():
        hold_type(slug)
        return _store(whole, definition, by=by, based_on=before.revision)


def _check(document: Document) -> WebhookTypeDefinition:
    """Return the definition that a document makes; raise what is wrong with it."""
    check_size(document)
    try:
        definition = load_definition(document)
    except InvalidDefinition as error:
        raise _tell(error.faults) from error
    faults = [*find_fetch_faults(definition), *find_code_faults(document)]
    if faults:
        raise _tell(faults)
    if get_shipped(definition.slug) is None and is_reserved_namespace(definition.slug):
        raise SlugTaken
    return definition


def _tell(faults: Sequence[Fault]) -> InvalidDefinition:
    told = [f"{fault.pointer or '/'}: {fault.detail}" for fault in faults[:MAX_TOLD]]
    return InvalidDefinition("; ".join(told), faults=faults)


def _store(
    document: Document,
    definition: WebhookTypeDefinition,
    *,
    by: str,
    based_on: UUID | object | None = _ANY,
) -> UploadedType:
    """Make a new version the current one; the caller holds the type."""
    slug = definition.slug
    rows = WebhookType.objects.select_related("current")
    row = rows.filter(pk=slug).first()
    if based_on not in (_ANY, row and row.current_id):
        raise ChangedMeanwhile
    # As texts: for Python, 1 is True.
    if row is not None and dump_json(row.current.document) == dump_json(document):
        return UploadedType(slug=slug, version=row.current.version, document=document)
    _refuse_other_verification(definition)
    version = WebhookTypeVersion.objects.create(
        slug=slug, version=_next_number(slug), document=document, created_by=by
    )
    WebhookType.objects.update_or_create(slug=slug, defaults={"current": version})
    return UploadedType(
        slug=slug, version=version.version, document=document, is_new=row is None
    )


def _refuse_other_verification(definition: WebhookTypeDefinition) -> None:
    try:
        before = find_definition(definition.slug)
    except WebhookTypeUnusable:  # to upload it again is the way out
        return
    if before is not None:
        refuse_other_verification(before, definition)


def _next_number(slug: str) -> int:
    """Return the next number; those of a deleted type are not given again."""
    versions = WebhookTypeVersion.objects.filter(slug=slug)
    last: int | None = versions.aggregate(last=Max("version"))["last"]
    return (last or 0) + 1
