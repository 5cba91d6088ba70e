"""Descriptions of senders, read from JSON documents that `schema.json` specifies.

Shipped webhook types are files in `senders/types`; uploaded types have the same format.
"""

from __future__ import annotations

from senders.definitions.shipped import (
    GENERIC,
    get_shipped,
    resolve,
    shipped_document,
    shipped_names,
    shipped_slugs,
    slug_of_alias,
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
    TextAfterSource,
)
from senders.definitions.webhook_types import (
    InvalidDefinition,
    WebhookTypeDefinition,
    load_definition,
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
    "TextAfterSource",
    "WebhookTypeDefinition",
    "get_shipped",
    "load_definition",
    "resolve",
    "shipped_document",
    "shipped_names",
    "shipped_slugs",
    "slug_of_alias",
]
