"""What the service knows about a sender, read from data.

A definition is a JSON document (`schema.json`). Shipped types are files in
`senders/types`; an uploaded type has exactly the same format.
"""

from __future__ import annotations

from senders.definitions.loading import InvalidDefinition, load_definition
from senders.definitions.model import WebhookTypeDefinition
from senders.definitions.shipped import (
    GENERIC,
    get_shipped,
    resolve,
    shipped_document,
    shipped_slugs,
)
from senders.definitions.sources import (
    BodyHashSource,
    BodySource,
    ConstantSource,
    FirstKeySource,
    HeaderSource,
    JoinedSource,
    NamedSource,
    QuerySource,
    Source,
)

__all__ = [
    "GENERIC",
    "BodyHashSource",
    "BodySource",
    "ConstantSource",
    "FirstKeySource",
    "HeaderSource",
    "InvalidDefinition",
    "JoinedSource",
    "NamedSource",
    "QuerySource",
    "Source",
    "WebhookTypeDefinition",
    "get_shipped",
    "load_definition",
    "resolve",
    "shipped_document",
    "shipped_slugs",
]
