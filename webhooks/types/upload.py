"""Stores uploaded webhook types as versions, and deletes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from access.actors import because
from common.errors import Conflict, Fault, join_faults
from common.fields import dump_json
from common.json_cost import is_deeper_than
from events.services.emit import is_reserved_namespace
from senders.definitions import (
    GENERIC,
    InvalidDefinition,
    WebhookTypeDefinition,
    get_shipped,
    load_definition,
    resolve,
    shipped_document,
)
from senders.definitions.schemes import AnyScheme, CertificateScheme, JwtScheme
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types.catalogue import WebhookTypeNotFound, current_type
from webhooks.types.definitions import WebhookTypeUnusable, find_definition
from webhooks.types.in_use import (
    lock_type,
    require_same_verification,
    require_unused,
)
from webhooks.types.validation import find_code_faults

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_DOCUMENT_DEPTH = 60
REQUIRED = ("parser", "json_schema")
# The upload replaces the current version, whichever it is.
_ANY_VERSION = object()

Document = dict[str, Any]


class GenericTypeProtected(Conflict):
    """`generic` cannot be replaced or deleted; upload under another slug."""

    code = "generic_type_stays"


class ShippedTypeProtected(Conflict):
    """This webhook type is shipped; only an uploaded type can be deleted."""

    code = "shipped_type_stays"


class SlugReserved(Conflict):
    """Tickhook's own event types begin with this name; choose another slug."""

    code = "webhook_type_slug_taken"


class WebhookTypeChanged(Conflict):
    """Another request changed this webhook type; read it again and retry."""

    code = "webhook_type_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedType:
    """An uploaded type as stored; `is_new` if the slug had no upload before."""

    slug: str
    version: int
    document: Mapping[str, Any]
    is_new: bool = False


def upload_type(
    *,
    document: Mapping[str, Any],
    slug: str | None = None,
    by: str = "",
    may_fetch: bool = False,
) -> UploadedType:
    """Store a description of a sender, in the format of the shipped types.

    Fields that the document omits are taken from the shipped type of the same slug;
    null removes a field. An upload that changes nothing makes no new version.
    `may_fetch` says whether the uploader may name hosts of certificates and keys.
    Raises InvalidDefinition, GenericTypeProtected, SlugReserved and WebhookTypeInUse.
    """
    _check_size(document)
    slug = _read_slug(document, slug)
    for field in REQUIRED:
        if document.get(field) is None:
            raise _invalid(f"/{field}", f"Missing required field: {field}")
    whole = _merge(shipped_document(slug), document, slug)
    definition = _load_valid(whole, may_fetch=may_fetch)
    with transaction.atomic():
        lock_type(slug)
        return _store(whole, definition, by=by)


def patch_type(
    *, document: Mapping[str, Any], slug: str, by: str = "", may_fetch: bool = False
) -> UploadedType:
    """Change the given fields of a type, as `upload_type`; null removes a field.

    Raises WebhookTypeNotFound, WebhookTypeChanged and what `upload_type` raises.
    """
    _check_size(document)
    slug = _read_slug(document, slug)
    before = current_type(slug)
    whole = _merge(before.document, document, slug)
    definition = _load_valid(whole, may_fetch=may_fetch)
    with transaction.atomic():
        lock_type(slug)
        return _store(whole, definition, by=by, based_on=before.revision)


def delete_type(*, slug: str) -> None:
    """Delete an uploaded type and keep its versions.

    A shipped type of the same slug takes its place. Raises WebhookTypeInUse while there
    are endpoints that would lose their type or verify requests differently;
    GenericTypeProtected, ShippedTypeProtected and WebhookTypeNotFound.
    """
    slug = slug.lower()
    if slug == GENERIC:
        raise GenericTypeProtected
    shipped = get_shipped(slug)
    with transaction.atomic():
        lock_type(slug)
        row = WebhookType.objects.filter(pk=slug).first()
        if row is None:
            raise WebhookTypeNotFound if shipped is None else ShippedTypeProtected
        if shipped is None:
            why = "This type cannot be deleted while endpoints use it"
            require_unused(slug, why=why)
        else:
            _require_same_verification_as_now(shipped)
        row.delete()


def _check_size(document: Mapping[str, Any]) -> None:
    """Raise InvalidDefinition for a document that is too large to be validated."""
    if is_deeper_than(document, MAX_DOCUMENT_DEPTH):
        detail = f"Is nested more than {MAX_DOCUMENT_DEPTH} levels deep"
        raise _invalid("", detail)
    if len(dump_json(document)) > MAX_DOCUMENT_BYTES:
        raise _invalid("", f"Is larger than {MAX_DOCUMENT_BYTES // 1024} KB")


def _read_slug(document: Mapping[str, Any], slug: str | None) -> str:
    """Return the slug in lower case, from the URL or from the document."""
    candidates = [slug, document.get("slug"), document.get("webhook_type")]
    given = [name for name in candidates if name is not None]
    if not given:
        raise _invalid("/slug", "Missing required field: slug")
    if not all(isinstance(name, str) for name in given):
        raise _invalid("/slug", "Must be a string")
    slugs = {name.lower() for name in given}
    if len(slugs) > 1:
        raise _invalid("/slug", "Must be the same wherever it is given")
    if slugs == {GENERIC}:
        raise GenericTypeProtected
    return slugs.pop()


def _merge(base: Mapping[str, Any], document: Mapping[str, Any], slug: str) -> Document:
    fields = {"name": slug, **base, **document, "slug": slug}
    return {
        name: value
        for name, value in fields.items()
        if value is not None and name != "webhook_type"
    }


def _load_valid(document: Document, *, may_fetch: bool) -> WebhookTypeDefinition:
    """Return the definition that a document describes; raise if it is not valid."""
    _check_size(document)
    try:
        definition = load_definition(document)
    except InvalidDefinition as error:
        raise _with_pointers(error.faults) from error
    faults = [
        *_find_shipped_only_faults(definition, may_fetch=may_fetch),
        *find_code_faults(document),
    ]
    if faults:
        raise _with_pointers(faults)
    if get_shipped(definition.slug) is None and is_reserved_namespace(definition.slug):
        raise SlugReserved
    return definition


def _find_shipped_only_faults(
    definition: WebhookTypeDefinition, *, may_fetch: bool
) -> Iterator[Fault]:
    """Find parts of an upload that only shipped types or administrators may have.

    An ordinary uploader cannot choose the hosts that this server sends requests to.
    Shipped types alone have aliases, so that none has two meanings. An upload under a
    shipped slug may keep these parts unchanged.
    """
    shipped = get_shipped(definition.slug) or resolve(GENERIC)
    if definition.aliases not in ((), shipped.aliases):
        yield Fault("/aliases", "Only shipped types have aliases; upload under a slug")
    if definition.confirmation not in (None, shipped.confirmation):
        yield Fault("/confirmation", "Only shipped types may request a URL")
    scheme = definition.signature
    schemes = scheme.of if isinstance(scheme, AnyScheme) else (scheme,)
    fetches = any(isinstance(one, CertificateScheme | JwtScheme) for one in schemes)
    if fetches and not may_fetch and scheme != shipped.signature:
        detail = (
            "Only shipped types may fetch certificates and keys; ask an administrator "
            "to upload this one"
        )
        yield Fault("/signature", detail)


def _store(
    document: Document,
    definition: WebhookTypeDefinition,
    *,
    by: str,
    based_on: UUID | object | None = _ANY_VERSION,
) -> UploadedType:
    """Make the document the current version; the caller holds the type's lock."""
    slug = definition.slug
    row = WebhookType.objects.select_related("current").filter(pk=slug).first()
    if based_on not in (_ANY_VERSION, row and row.current_id):
        raise WebhookTypeChanged
    # Compared as JSON text, because in Python 1 equals True.
    if row is not None and dump_json(row.current.document) == dump_json(document):
        return UploadedType(slug=slug, version=row.current.version, document=document)
    _require_same_verification_as_now(definition)
    # Deleted types keep their versions, so a number is never used twice.
    versions = WebhookTypeVersion.objects.filter(slug=slug)
    last: int = versions.aggregate(last=Max("version"))["last"] or 0
    version = WebhookTypeVersion.objects.create(
        slug=slug, version=last + 1, document=document, created_by=by
    )
    with because(f"version {version.version}"):
        WebhookType.objects.update_or_create(slug=slug, defaults={"current": version})
    return UploadedType(
        slug=slug, version=version.version, document=document, is_new=row is None
    )


def _require_same_verification_as_now(definition: WebhookTypeDefinition) -> None:
    try:
        current = find_definition(definition.slug)
    except WebhookTypeUnusable:  # replacing it is the only way to repair it
        return
    if current is not None:
        require_same_verification(current, definition)


def _with_pointers(faults: Sequence[Fault]) -> InvalidDefinition:
    return InvalidDefinition(join_faults(faults), faults=faults)


def _invalid(pointer: str, detail: str) -> InvalidDefinition:
    return InvalidDefinition(detail, faults=[Fault(pointer, detail)])
