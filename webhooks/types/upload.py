"""What an upload says, and what it leaves to the type's shipped description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from common.errors import Conflict, Fault
from common.fields import dump_json
from common.json_depth import is_deeper_than
from events.families import is_own_family
from senders.definitions import (
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
    shipped_document,
)
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types.catalogue import WebhookTypeNotFound, current_type
from webhooks.types.definitions import WebhookTypeUnusable, find_definition
from webhooks.types.in_use import (
    find_fetch_faults,
    hold_type,
    refuse_generic,
    refuse_other_verification,
    refuse_while_used,
)
from webhooks.types.validation import find_code_faults


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
    if get_shipped(definition.slug) is None and is_own_family(definition.slug):
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


MAX_DOCUMENT_BYTES = 256 * 1024
MAX_DOCUMENT_DEPTH = 60
REQUIRED = ("parser", "json_schema")

Document = dict[str, Any]


def name_slug(document: Mapping[str, Any], slug: str | None) -> str:
    """Return the slug, lower-case: the one given, or the document's own."""
    named = [slug, document.get("slug"), document.get("webhook_type")]
    given = [name for name in named if name is not None]
    if not given:
        raise _refusal("/slug", "Missing required field: slug")
    if not all(isinstance(name, str) for name in given):
        raise _refusal("/slug", "Must be a text")
    slugs = {name.lower() for name in given}
    if len(slugs) > 1:
        raise _refusal("/slug", "Must be the same wherever it is given")
    return slugs.pop()


def check_size(document: Mapping[str, Any]) -> None:
    """Refuse what is too large to be looked at; raise InvalidDefinition."""
    if is_deeper_than(document, MAX_DOCUMENT_DEPTH):
        detail = f"Is nested more than {MAX_DOCUMENT_DEPTH} levels deep"
        raise _refusal("", detail)
    if len(dump_json(document)) > MAX_DOCUMENT_BYTES:
        raise _refusal("", f"Is larger than {MAX_DOCUMENT_BYTES // 1024} KB")


def complete(document: Mapping[str, Any], slug: str) -> Document:
    """Return an upload as a whole document; raise InvalidDefinition.

    What it leaves unsaid of a shipped type stays as shipped; null takes a field away.
    """
    for field in REQUIRED:
        if document.get(field) is None:
            raise _refusal(f"/{field}", f"Missing required field: {field}")
    return merge(shipped_document(slug), document, slug)


def merge(base: Mapping[str, Any], document: Mapping[str, Any], slug: str) -> Document:
    """Return the base as the document changes it, field by field."""
    fields = {"name": slug, **base, **document, "slug": slug}
    return {
        name: value
        for name, value in fields.items()
        if value is not None and name != "webhook_type"
    }


def _refusal(pointer: str, detail: str) -> InvalidDefinition:
    return InvalidDefinition(detail, faults=[Fault(pointer, detail)])
