"""What can be done about a delivery that was not accepted, by its cause."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DUPLICATE = "duplicate"
AS_DETAIL_SAYS = "The detail says what was wrong; change that and deliver again."

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        DUPLICATE: (
            "Nothing is to be done: the first delivery with this id became the event. "
            "To run it once more, redeliver it."
        ),
        "method_not_allowed": (
            "Have the sender use one of the endpoint's allowed_methods, or allow this "
            "one."
        ),
        "https_required": (
            "Give the sender the https URL. If it has it, the proxy that ends TLS must "
            "be in TRUSTED_PROXIES and send X-Forwarded-Proto."
        ),
        "body_too_large": (
            "Have the sender send less (fewer items, links instead of contents), or "
            "use a webhook type whose max_body_bytes is larger."
        ),
        "batch_too_large": (
            "Have the sender put fewer items into a batch, or send fewer headers."
        ),
        "address_not_allowed": (
            "Add the sender's address to allowed_addresses in validation_rules. If "
            "it's the address of your proxy, add that to TRUSTED_PROXIES."
        ),
        "handshake_refused": (
            "The sender asked whether this URL is ours, with another token than the "
            "endpoint's webhook_config has. Enter the same one on both sides."
        ),
        "not_for_this_endpoint": (
            "The request names another account, app or bot than the endpoint's "
            "webhook_config does. Correct that, or give the sender its own endpoint."
        ),
        "address_rate_limited": (
            "Have the sender wait as long as Retry-After says, or raise the limit per "
            "address."
        ),
        "forgery_rate_limited": (
            "Too many requests of this address carried no valid signature. Correct "
            "the secret on its side; the limit ends within a minute."
        ),
        "endpoint_rate_limited": (
            "Have the sender wait as long as Retry-After says, or raise the endpoint's "
            "limits."
        ),
        "endpoint_bytes_limited": (
            "The endpoint received more bytes in an hour than it may. Have the sender "
            "wait as long as Retry-After says or send less, or raise "
            "TICKHOOK_ENDPOINT_BYTES_PER_HOUR (0: no limit)."
        ),
        "global_rate_limited": (
            "The whole service was at its limit. Have the sender wait as long as "
            "Retry-After says, or raise the limit."
        ),
        "invalid_signature": (
            "Enter the same secret on both sides, choose the type that is the "
            "sender's, and see that no proxy changes body or URL. If a timestamp is "
            "out of tolerance, set the clocks."
        ),
        "certificate_unknown": (
            "The sender's certificate was still to be fetched; the sender delivers "
            "again by itself. If it stays so, a worker can't reach the certificate."
        ),
        "confirmations_busy": (
            "Nothing was accepted; the sender delivers again by itself. If it stays, "
            "no worker of the queue slow runs, or it can't reach the sender."
        ),
        "unknown_content_encoding": (
            "Have the sender send the body as it is, or compressed by gzip."
        ),
        "malformed_request": (
            "The request can't be read as HTTP says; the sender, or a proxy before us, "
            "must be corrected."
        ),
        "malformed_body": (
            "The body is not what its Content-Type says; correct one of them on the "
            "sender's side."
        ),
        "validation_failed": (
            "The detail names each fault. Correct what the sender sends, or the "
            "endpoint's validation_rules or the type's json_schema."
        ),
        "validation_refused": (
            "The validation code of the webhook type said no. Correct what the sender "
            "sends, or the type's validation_code."
        ),
        "code_refused": "The webhook type's code failed; correct validation_code.",
        "code_timed_out": "The webhook type's code takes too long; make it do less.",
        "sandbox_unavailable": (
            "The sandbox did not answer, so nothing was accepted. The sender tries "
            "again by itself, or deliver again by hand."
        ),
        "delivery_id_conflict": (
            "An earlier delivery had the same id and another body. Each event needs an "
            "id of its own; if this sender's redeliveries differ, set body_varies in "
            "its type."
        ),
    }
)


def how_to_fix(cause: str) -> str:
    """Return a sentence on what to do; nothing for what was accepted."""
    return REMEDIES.get(cause, AS_DETAIL_SAYS) if cause else ""
