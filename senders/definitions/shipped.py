from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from senders.definitions.loading import load_definition
from senders.definitions.model import WebhookTypeDefinition

GENERIC = "generic"


def get_shipped(slug: str) -> WebhookTypeDefinition | None:
    """Return the shipped definition of this name in any case."""
    return _shipped().get(slug.lower())


def shipped_slugs() -> list[str]:
    return sorted(_shipped())


def shipped_document(slug: str) -> Mapping[str, Any]:
    """Return the document of a shipped definition; empty if there is none."""
    if get_shipped(slug) is None:
        return {}
    file = files("senders").joinpath("types", f"{slug.lower()}.json")
    document: Mapping[str, Any] = json.loads(file.read_bytes())
    return document


def resolve(slug: str) -> WebhookTypeDefinition:
    """Return the definition of this name; an unknown sender is `generic`."""
    return get_shipped(slug) or _shipped()[GENERIC]


@cache
def _shipped() -> Mapping[str, WebhookTypeDefinition]:
    folder = files("senders").joinpath("types")
    documents = (file.read_bytes() for file in folder.iterdir())
    definitions = (load_definition(json.loads(document)) for document in documents)
    return {definition.slug: definition for definition in definitions}
