"""What a request must pass before it is recorded: cheap and least forgeable first.

Each check takes a delivery and returns nothing, or raises the error that is answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings

from common.errors import Fault, InvalidInput, TickhookError
from senders.errors import CertificateUnknown
from senders.parsing import BodyKind
from senders.signatures import InvalidSignature, verify
from webhooks.limits.requests import count_delivery, count_forgery, refuse_if_over
from webhooks.models import ErrandKind, WebhookEndpoint
from webhooks.pending_fetches.certificates import FetchedCertificates
from webhooks.pending_fetches.fetching import request_errand
from webhooks.receiver.events import kept_headers
from webhooks.receiver.handshakes import mismatches
from webhooks.receiver.request import Delivery
from webhooks.receiver.validation import check_validation_code, has_validation
from webhooks.types.validation import find_body_faults, find_config_faults

_CERTIFICATES = FetchedCertificates()
_WITHOUT_FIELDS = (BodyKind.EMPTY, BodyKind.BINARY, BodyKind.TEXT, BodyKind.XML)


class MethodNotAllowed(TickhookError):
    """This webhook is not received by this method."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        super().__init__()
        self.headers = {"Allow": allow(endpoint)}


class HTTPSRequired(TickhookError):
    """Webhooks are received over HTTPS only; a proxy says so by X-Forwarded-Proto."""

    code = "https_required"
    http_status = 403


class AddressNotAllowed(TickhookError):
    """This webhook is not received from this address."""

    code = "address_not_allowed"
    http_status = 403


class NotForThisEndpoint(TickhookError):
    """The sender is the right one, but this is not meant for this webhook."""

    code = "not_for_this_endpoint"
    http_status = 403


class ValidationRulesFailed(InvalidInput):
    """The request doesn't fit the endpoint's validation rules."""

    code = "validation_failed"


def allow(endpoint: WebhookEndpoint) -> str:
    """Return the Allow header of an endpoint (RFC 9110)."""
    return ", ".join([*endpoint.allowed_methods, "OPTIONS"])


def check_method(delivery: Delivery) -> None:
    """Refuse a method that is neither allowed nor that of a handshake."""
    if delivery.method in delivery.endpoint.allowed_methods:
        return
    signed = (h.method for h in delivery.definition.handshakes if h.is_signed)
    if delivery.method not in signed and delivery.unsigned_handshake is None:
        raise MethodNotAllowed(delivery.endpoint)


def check_scheme(delivery: Delivery) -> None:
    """Refuse plain HTTP where it can be told: a proxy that ends TLS is declared."""
    if settings.HTTPS and settings.TRUSTED_PROXIES and not delivery.http.is_secure():
        raise HTTPSRequired


def check_size(delivery: Delivery) -> None:
    _ = delivery.body


def check_address(delivery: Delivery) -> None:
    allowed = delivery.endpoint.validation_rules.get("allowed_addresses")
    if allowed is None:
        return
    address = delivery.address
    if address is None or not any(address in n for n in _networks(tuple(allowed))):
        raise AddressNotAllowed


def check_known_limits(delivery: Delivery) -> None:
    refuse_if_over(delivery.address)


def check_signature(delivery: Delivery) -> None:
    """Verify the raw bytes; an endpoint without secrets is open where its type is."""
    endpoint, definition = delivery.endpoint, delivery.definition
    if not endpoint.secrets and not definition.signature_required:
        return
    if delivery.unsigned_handshake is not None:
        return
    try:
        _verify(delivery)
    except InvalidSignature as error:
        count_forgery(delivery.address)
        # Only behind the limit of forgeries: the name may be an invented one.
        if isinstance(error, CertificateUnknown):
            request_errand(
                kind=ErrandKind.CERTIFICATE,
                url=error.url,
                endpoint_id=delivery.endpoint.id,
            )
        raise
    delivery.is_verified = True


def _verify(delivery: Delivery) -> None:
    verify(
        delivery.definition.signature,
        secrets=delivery.secrets,
        method=delivery.method,
        url=delivery.url,
        headers=delivery.headers,
        body=delivery.body,
        now=time.time(),
        certificates=_CERTIFICATES,
    )


def check_limits(delivery: Delivery) -> None:
    """Count the request, now that it is its sender's, who is told what is left."""
    verdict = count_delivery(
        delivery.address, delivery.endpoint, size=len(delivery.body)
    )
    delivery.answer_headers = verdict.headers


def check_allowed(delivery: Delivery) -> None:
    """Refuse what only a handshake may use, now that it is none."""
    if delivery.method not in delivery.endpoint.allowed_methods:
        raise MethodNotAllowed(delivery.endpoint)


def check_form(delivery: Delivery) -> None:
    """Refuse what is malformed; nothing is kept that can't be read later."""
    _ = delivery.query
    _ = delivery.parsed


def check_rules(delivery: Delivery) -> None:
    """Hold the request against `validation_rules` and the type's JSON Schema."""
    rules = delivery.endpoint.validation_rules
    faults = [*_missing_headers(delivery, rules), *_unwanted_format(delivery, rules)]
    for schema in (delivery.definition.json_schema, rules.get("json_schema")):
        if schema is not None and not faults:
            faults = _differences(delivery, schema)
    if faults:
        raise ValidationRulesFailed(faults[0].detail, faults=faults)


def check_config(delivery: Delivery) -> None:
    """Hold the request against what the endpoint's config has to say, by its type."""
    definition = delivery.definition
    if definition.required_config_fields:
        _require_config(delivery)
    if not definition.config_matches:
        return
    wrong = mismatches(definition.config_matches, delivery.finder, delivery.config)
    if wrong:
        names = ", ".join(f"webhook_config.{key}" for key in wrong)
        raise NotForThisEndpoint(f"{names} is not set, or is not what was sent")


def _require_config(delivery: Delivery) -> None:
    """Refuse while the type, changed since, wants more than the endpoint's config has.

    Where there is validation code, that decides.
    """
    definition = delivery.definition
    if definition.validation_required and not definition.validation_code:
        faults = list(find_config_faults(definition, delivery.config_with_secret))
        if faults:
            raise ValidationRulesFailed(faults[0].detail, faults=faults)


def check_code(delivery: Delivery) -> None:
    """Run the type's validation code; of senders that prove nothing, workers do."""
    if delivery.is_verified and has_validation(delivery.definition):
        delivery.is_validated = check_validation_code(
            delivery.definition,
            headers=kept_headers(delivery),
            body=delivery.parsed.value,
            config=delivery.config,
            endpoint_id=delivery.endpoint.id,
        )


def _missing_headers(delivery: Delivery, rules: Mapping[str, Any]) -> Iterator[Fault]:
    for name in rules.get("required_headers", ()):
        if not delivery.headers.get(name.lower()):
            yield Fault(f"/headers/{name}", "This header is required")


def _unwanted_format(delivery: Delivery, rules: Mapping[str, Any]) -> Iterator[Fault]:
    wanted, kind = rules.get("body_format"), delivery.parsed.kind
    if wanted and kind != wanted:
        yield Fault("/body", f"The body must be {wanted}, not {kind}")


def _differences(delivery: Delivery, schema: Mapping[str, Any] | bool) -> list[Fault]:
    """Find, at most 20, where the body differs from a schema."""
    if schema is not True and delivery.parsed.kind in _WITHOUT_FIELDS:
        detail = f"The body must be JSON or a form, not {delivery.parsed.kind}"
        return [Fault("/body", detail)]
    return find_body_faults(schema, delivery.parsed.value)


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


# Before a handshake is answered, and before anything is read of the body.
GATES: tuple[Callable[[Delivery], None], ...] = (
    check_method,
    check_scheme,
    check_size,
    check_address,
    check_known_limits,
    check_signature,
    check_limits,
)
CHECKS: tuple[Callable[[Delivery], None], ...] = (
    check_allowed,
    check_form,
    check_config,
    check_rules,
    check_code,
)
