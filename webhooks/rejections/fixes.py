"""Suggests a fix for each cause for which the receiver does not accept a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DUPLICATE = "duplicate"
HANDSHAKE = "handshake"
DEFAULT_FIX = "The detail says what was wrong. Correct it and deliver again."

FIXES: Mapping[str, str] = MappingProxyType(
    {
        DUPLICATE: (
            "No action is needed: the first delivery with this id became the event. "
            "To run it once more, redeliver it."
        ),
        HANDSHAKE: (
            "Nothing was refused: the sender checked the URL and got its answer. Copy "
            "the token in the body to where the sender asks for it, and into "
            "webhook_config.secret."
        ),
        "method_not_allowed": (
            "Configure the sender to use one of the endpoint's allowed_methods, or "
            "allow this method."
        ),
        "https_required": (
            "Give the sender the https URL. If it already uses it, add the proxy that "
            "terminates TLS to TRUSTED_PROXIES and make it send X-Forwarded-Proto."
        ),
        "body_too_large": (
            "Configure the sender to send less (fewer items, links instead of "
            "contents), or use a webhook type with a larger max_body_bytes."
        ),
        "batch_too_large": (
            "Configure the sender to put fewer items into a batch, or to send fewer "
            "headers."
        ),
        "address_not_allowed": (
            "Add the sender's address to allowed_addresses in validation_rules. If it "
            "is the address of your proxy, add that to TRUSTED_PROXIES."
        ),
        "handshake_refused": (
            "The sender verified this URL with a token that differs from the one in "
            "the endpoint's webhook_config. Enter the same token on both sides."
        ),
        "not_for_this_endpoint": (
            "The request names another account, app or bot than the endpoint's "
            "webhook_config. Correct webhook_config, or give the sender its own "
            "endpoint."
        ),
        "address_rate_limited": (
            "The sender must wait as long as Retry-After says. To accept more, raise "
            "the limit per address."
        ),
        "forgery_rate_limited": (
            "Too many requests from this address had no valid signature. Correct the "
            "secret in the sender's settings; the limit ends within a minute."
        ),
        "endpoint_rate_limited": (
            "The sender must wait as long as Retry-After says. To accept more, raise "
            "the endpoint's limits."
        ),
        "endpoint_bytes_limited": (
            "The endpoint received more bytes in an hour than allowed. The sender must "
            "wait as long as Retry-After says or send less. To accept more, raise "
            "TICKHOOK_ENDPOINT_BYTES_PER_HOUR (0: no limit)."
        ),
        "global_rate_limited": (
            "The whole service reached its limit. The sender must wait as long as "
            "Retry-After says. To accept more, raise the global limit."
        ),
        "invalid_signature": (
            "Enter the same secret on both sides, select the webhook type of this "
            "sender, and check that no proxy changes the body or the URL. If a "
            "timestamp is out of tolerance, synchronize the clocks."
        ),
        "certificate_unknown": (
            "The sender's certificate was not fetched yet; the sender delivers again "
            "by itself. If this persists, a worker cannot reach the certificate's URL."
        ),
        "keys_unknown": (
            "The sender's keys were not fetched yet; the sender delivers again by "
            "itself. If this persists, a worker cannot reach the URL of the keys."
        ),
        "confirmations_busy": (
            "The request was not accepted; the sender delivers again by itself. If "
            "this persists, no worker runs the queue slow, or it cannot reach the "
            "sender."
        ),
        "unknown_content_encoding": (
            "Configure the sender to send the body uncompressed, or compressed with "
            "gzip."
        ),
        "malformed_request": (
            "The request is not valid HTTP. Correct the sender, or the proxy between "
            "the sender and this server."
        ),
        "malformed_body": (
            "The body does not match its Content-Type. Correct one of them in the "
            "sender's settings."
        ),
        "validation_failed": (
            "The detail names each fault. Correct what the sender sends, the "
            "endpoint's validation_rules, or the json_schema of the webhook type."
        ),
        "validation_refused": (
            "The validation_code of the webhook type rejected the request. Correct "
            "what the sender sends, or the validation_code."
        ),
        "code_refused": (
            "The code of the webhook type failed. Correct its validation_code."
        ),
        "code_timed_out": (
            "The code of the webhook type takes too long. Make it do less."
        ),
        "sandbox_unavailable": (
            "The sandbox did not answer, so the request was not accepted. The sender "
            "retries by itself, or deliver again by hand."
        ),
        "delivery_id_conflict": (
            "An earlier delivery had the same id and another body. Each event needs "
            "its own id. If redeliveries of this sender differ, name the members that "
            "differ in body_varies of its webhook type."
        ),
    }
)


def how_to_fix(cause: str) -> str:
    """Return a suggestion for a cause; empty for an accepted delivery."""
    return FIXES.get(cause, DEFAULT_FIX) if cause else ""
