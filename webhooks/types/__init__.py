"""The webhook types of this installation: shipped types and uploaded types.

An uploaded type replaces the shipped type of the same slug. Every upload is kept as a
version.
"""

from __future__ import annotations

from webhooks.types.catalogue import (
    TypeSummary,
    WebhookTypeNotFound,
    current_type,
    explain_never_sent,
    explain_unknown,
    get_version,
    known_slugs,
    list_versions,
    summarize_types,
)
from webhooks.types.definitions import (
    StoredRequest,
    WebhookTypeUnusable,
    definition_at,
    definition_for,
    definition_of,
    definitions_of,
    find_definition,
    find_named,
    has_validation_code,
)
from webhooks.types.event_filters import EventFilters, find_setting_faults
from webhooks.types.in_use import WebhookTypeInUse, lock_type_shared
from webhooks.types.upload import UploadedType, delete_type, patch_type, upload_type
from webhooks.types.validation import (
    TypePreview,
    find_body_faults,
    find_config_faults,
    find_useless_fields,
    preview_type,
)

__all__ = [
    "EventFilters",
    "StoredRequest",
    "TypePreview",
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
    "explain_never_sent",
    "explain_unknown",
    "find_body_faults",
    "find_config_faults",
    "find_definition",
    "find_named",
    "find_setting_faults",
    "find_useless_fields",
    "get_version",
    "has_validation_code",
    "known_slugs",
    "list_versions",
    "lock_type_shared",
    "patch_type",
    "preview_type",
    "summarize_types",
    "upload_type",
]
