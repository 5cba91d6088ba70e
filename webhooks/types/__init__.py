"""The senders that this installation knows: shipped ones and uploaded ones.

What was uploaded stands before what was shipped; each upload is a version that is kept.
"""

from __future__ import annotations

from webhooks.types.catalogue import (
    TypeSummary,
    WebhookTypeNotFound,
    current_type,
    known_slugs,
    list_types,
    summaries_of,
    version_of,
    versions_of,
)
from webhooks.types.definitions import (
    WebhookTypeUnusable,
    definition_at,
    definition_for,
    definition_of,
    definitions_of,
)
from webhooks.types.in_use import WebhookTypeInUse, hold_type_shared
from webhooks.types.upload import UploadedType, delete_type, patch_type, upload_type
from webhooks.types.validation import (
    Trial,
    find_body_faults,
    find_config_faults,
    hold_against,
    try_type,
)

__all__ = [
    "Trial",
    "TypeSummary",
    "UploadedType",
    "WebhookTypeInUse",
    "WebhookTypeNotFound",
    "WebhookTypeUnusable",
    "current_type",
    "definition_at",
    "definition_for",
    "definition_of",
    "definitions_of",
    "delete_type",
    "find_body_faults",
    "find_config_faults",
    "hold_against",
    "hold_type_shared",
    "known_slugs",
    "list_types",
    "patch_type",
    "summaries_of",
    "try_type",
    "upload_type",
    "version_of",
    "versions_of",
]
