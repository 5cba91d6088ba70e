"""What pages call the outcomes and causes of deliveries, and pending fetches."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from common import wording
from common.wording import Status
from webhooks.endpoints.secrets import Which
from webhooks.models import DeliveryOutcome, PendingFetchKind, PendingFetchStatus

DELIVERY_OUTCOMES: Mapping[str, Status] = MappingProxyType(
    {
        DeliveryOutcome.ACCEPTED: Status("accepted", "✓", "green"),
        DeliveryOutcome.DUPLICATE: Status("repeated", wording.SKIPPED.mark, "gray"),
        DeliveryOutcome.REJECTED: Status("refused", "✕", "red"),
    }
)

FETCH_KINDS: Mapping[str, str] = MappingProxyType(
    {
        PendingFetchKind.CERTIFICATE: "certificate of the sender",
        PendingFetchKind.KEYS: "public keys of the sender",
        PendingFetchKind.CONFIRMATION: "confirmation of the URL",
    }
)

FETCH_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        PendingFetchStatus.PENDING: wording.WAITING,
        PendingFetchStatus.DONE: wording.SUCCEEDED,
        PendingFetchStatus.FAILED: wording.FAILED,
    }
)

SECRETS: Mapping[str, str] = MappingProxyType(
    {Which.CURRENT: "current secret", Which.PREVIOUS: "previous secret"}
)

# One text for each cause of webhooks.rejections.fixes.FIXES.
CAUSES: Mapping[str, str] = MappingProxyType(
    {
        "duplicate": "repeats an earlier delivery",
        "handshake": "the sender checked the URL",
        "method_not_allowed": "the method is not allowed",
        "https_required": "HTTPS is required",
        "body_too_large": "the body is too large",
        "batch_too_large": "too many items in one request",
        "address_not_allowed": "the sender's address is not allowed",
        "handshake_refused": "the verification of the URL failed",
        "not_for_this_endpoint": "meant for another account or app",
        "address_rate_limited": "too many requests from this address",
        "forgery_rate_limited": "too many wrong signatures from this address",
        "endpoint_rate_limited": "too many requests to this webhook",
        "endpoint_bytes_limited": "too many bytes in an hour",
        "global_rate_limited": "too many requests to Tickhook",
        "invalid_signature": "the signature does not match",
        "certificate_unknown": "the sender's certificate is not known yet",
        "keys_unknown": "the sender's keys are not known yet",
        "confirmations_busy": "too many confirmations wait",
        "unknown_content_encoding": "unknown compression of the body",
        "malformed_request": "not a valid HTTP request",
        "malformed_body": "the body does not match its content type",
        "validation_failed": "the content breaks a validation rule",
        "validation_refused": "the type's validation code refused it",
        "code_refused": "the type's code failed",
        "code_timed_out": "the type's code took too long",
        "sandbox_unavailable": "the sandbox did not answer",
        "delivery_id_conflict": "the delivery id was used for another body",
    }
)


def cause_text(cause: str) -> str:
    """Return the words for a cause; an unknown one without its underscores."""
    return CAUSES.get(cause, cause.replace("_", " "))
