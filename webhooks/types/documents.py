"""What an upload says, and what it leaves to the type's shipped description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import Fault
from common.fields import dump_json
from common.json_depth import is_deeper_than
from senders.definitions import InvalidDefinition, shipped_document

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
