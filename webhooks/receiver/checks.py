"""The checks that a request must pass before it is recorded.

`check_request` lists them in order. A check returns the value that it adds to the
request, or nothing; it raises the error that is sent as the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings

from common.errors import Fault, InvalidInput, TickhookError
from senders.errors import CertificateUnknown, KeysUnknown
from senders.parsing import BodyKind
from senders.parsing.cloudevents import CLOUDEVENTS, find_event_faults
from senders.sandbox import SandboxRefused, run_validator
from senders.signatures import InvalidSignature
from senders.signatures.verification import Fetched
from webhooks.limits import count_delivery, count_forgery, refuse_if_over
from webhooks.models import PendingFetchKind, WebhookEndpoint
from webhooks.pending_fetches import FetchedCertificates, FetchedKeys, request_fetch
from webhooks.receiver.handshakes import (
    check_handshake,
    describe_mismatches,
    find_signed_handshake,
    find_unsigned_handshake,
    mismatches,
)
from webhooks.receiver.proof import needs_proof, verify_sender
from webhooks.receiver.record import is_batch
from webhooks.receiver.request import (
    WebhookRequest,
    parse_content,
    read_body,
    storable_headers,
)
from webhooks.types import has_validation_code
from webhooks.types.validation import find_body_faults, find_config_faults


def check_request(request: WebhookRequest) -> None:
    """Apply all checks, cheap ones and those that a forger cannot influence first."""
    check_scheme(request)
    check_method(request)
    request.body = read_body(request)
    request.body_size = len(request.body)
    check_address(request)
    refuse_if_over(request.address)
    has_handshakes = bool(request.definition.handshakes)
    handshake = find_unsigned_handshake(request) if has_handshakes else None
    if handshake is None:
        request.is_verified = check_signature(request)
    request.limit_headers = count_request(request)
    request.content = parse_content(request)
    if has_handshakes:
        request.handshake = handshake or find_signed_handshake(request)
    if request.handshake is not None:
        check_handshake(request, request.handshake)
        return
    check_method_of_delivery(request)
    check_config(request)
    check_rules(request)
    request.is_validated = check_validation_code(request)


class MethodNotAllowed(TickhookError):
    """This webhook does not accept this method."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        super().__init__()
        self.headers = {"Allow": allow_header(endpoint)}


class HTTPSRequired(TickhookError):
    """This webhook accepts HTTPS only."""

    code = "https_required"
    http_status = 403

    def __init__(self) -> None:
        super().__init__(
            "This webhook accepts HTTPS only: send to its https:// URL. If you did, "
            "its operator must add the proxy that ends TLS to TRUSTED_PROXIES and make "
            "it send X-Forwarded-Proto."
        )


class AddressNotAllowed(TickhookError):
    """This webhook does not accept requests from this address."""

    code = "address_not_allowed"
    http_status = 403


class NotForThisEndpoint(TickhookError):
    """The sender is the right one, but the request is for another webhook."""

    code = "not_for_this_endpoint"
    http_status = 403


class ValidationRulesFailed(InvalidInput):
    """The request does not meet the endpoint's validation rules."""

    code = "validation_failed"


class ValidationRefused(InvalidInput):
    """The validation code of this webhook's type does not accept the request."""

    code = "validation_refused"


def allow_header(endpoint: WebhookEndpoint) -> str:
    """Return the value of an endpoint's Allow header (RFC 9110)."""
    return ", ".join([*endpoint.allowed_methods, "OPTIONS"])


def check_scheme(request: WebhookRequest) -> None:
    """Raise HTTPSRequired for plain HTTP, if declared proxies can tell the scheme."""
    if settings.HTTPS and settings.TRUSTED_PROXIES and not request.is_https:
        raise HTTPSRequired


def check_method(request: WebhookRequest) -> None:
    """Raise MethodNotAllowed unless deliveries or handshakes may use the method.

    An unsigned handshake must also fit, as far as that can be seen without its body.
    """
    if request.method in request.endpoint.allowed_methods:
        return
    possible = [
        one for one in request.definition.handshakes if one.method == request.method
    ]
    if any(one.is_signed or one.when.needs_body for one in possible):
        return
    if not possible or find_unsigned_handshake(request) is None:
        raise MethodNotAllowed(request.endpoint)


def check_address(request: WebhookRequest) -> None:
    allowed = request.endpoint.validation_rules.get("allowed_addresses")
    if allowed is None:
        return
    address = request.address
    if address is None or not any(address in n for n in _networks(tuple(allowed))):
        raise AddressNotAllowed


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_FETCHED = Fetched(certificates=FetchedCertificates(), key_sets=FetchedKeys())
_KINDS: Mapping[type[InvalidSignature], PendingFetchKind] = {
    CertificateUnknown: PendingFetchKind.CERTIFICATE,
    KeysUnknown: PendingFetchKind.KEYS,
}


def check_signature(request: WebhookRequest) -> bool:
    """Verify the raw bytes; return whether the sender has proved its identity.

    An endpoint without secrets and login accepts anything, unless its type requires a
    signature.
    """
    if not needs_proof(request):
        return False
    try:
        verify_sender(request, fetched=_FETCHED)
    except InvalidSignature as error:
        count_forgery(request.address)
        # This stands after the limit of forgeries: the URL may be an invented one.
        if isinstance(error, CertificateUnknown | KeysUnknown):
            request_fetch(
                kind=_KINDS[type(error)],
                url=error.url,
                endpoint_id=request.endpoint.id,
            )
        raise
    return True


def count_request(request: WebhookRequest) -> Mapping[str, str]:
    """Count the request against its limits; return headers that report them."""
    return count_delivery(
        request.address, request.endpoint, size=len(request.body)
    ).headers


def check_method_of_delivery(request: WebhookRequest) -> None:
    """Refuse a method that only handshakes may use."""
    if request.method not in request.endpoint.allowed_methods:
        raise MethodNotAllowed(request.endpoint)


def check_config(request: WebhookRequest) -> None:
    """Compare the request with the values that the endpoint's config must have."""
    definition = request.definition
    if definition.required_config_fields:
        _require_config(request)
    if not definition.config_matches:
        return
    wrong = mismatches(definition.config_matches, request.finder, request.config)
    if wrong:
        raise NotForThisEndpoint(describe_mismatches(wrong))


def _require_config(request: WebhookRequest) -> None:
    """Refuse if the type, changed since, requires more than the endpoint's config has.

    If the type has validation code, that code decides.
    """
    definition = request.definition
    if not definition.validation_required or definition.validation_code:
        return
    # A secret is given as part of the config, but stored elsewhere.
    secret = {"secret": True} if request.endpoint.secrets else {}
    faults = list(find_config_faults(definition, {**secret, **request.config}))
    if faults:
        raise ValidationRulesFailed(faults[0].detail, faults=faults)


_KINDS_WITHOUT_FIELDS = (BodyKind.EMPTY, BodyKind.BINARY, BodyKind.TEXT, BodyKind.XML)


def check_rules(request: WebhookRequest) -> None:
    """Apply the endpoint's `validation_rules`, and the format and JSON Schema of its
    type.
    """
    rules = request.endpoint.validation_rules
    faults = list(_find_rule_faults(request, rules)) or _find_format_faults(request)
    parsed = request.content.parsed
    for schema in (request.definition.json_schema, rules.get("json_schema")):
        if schema is None or faults:
            continue
        if schema is not True and parsed.kind in _KINDS_WITHOUT_FIELDS:
            detail = f"The body must be JSON or a form, not {parsed.kind}"
            faults = [Fault("/body", detail)]
        else:
            faults = find_body_faults(schema, parsed.value)
    if faults:
        raise ValidationRulesFailed(faults[0].detail, faults=faults)


def _find_rule_faults(
    request: WebhookRequest, rules: Mapping[str, Any]
) -> Iterator[Fault]:
    for name in rules.get("required_headers", ()):
        if not request.headers.get(name.lower()):
            yield Fault(f"/headers/{name}", "This header is required")
    wanted, kind = rules.get("body_format"), request.content.parsed.kind
    if wanted and kind != wanted:
        yield Fault("/body", f"The body must be {wanted}, not {kind}")


def _find_format_faults(request: WebhookRequest) -> list[Fault]:
    definition = request.definition
    if definition.envelope != CLOUDEVENTS:
        return []
    batch = is_batch(
        definition,
        content_type=request.content_type,
        parsed=request.content.parsed,
    )
    return find_event_faults(request.finder, is_batch=batch)


def check_validation_code(request: WebhookRequest) -> bool:
    """Run the validation code of the type; return whether it ran and accepted.

    The receiver runs it only for a sender that has proved its identity: others must not
    cause code to run. A worker runs it for them. The code gets only headers that are
    stored, without credentials, because a worker has no others.
    Raise ValidationRefused; or SandboxUnavailable if the sender should retry, at once
    if this process already runs the code for this endpoint.
    """
    definition = request.definition
    if not request.is_verified or not has_validation_code(definition):
        return False
    try:
        is_valid = run_validator(
            definition.validation_code,
            headers=storable_headers(request),
            body=request.content.parsed.value,
            config=request.config,
            one_at_a_time=request.endpoint.id,
        )
    except SandboxRefused as error:
        raise ValidationRefused from error
    if not is_valid:
        raise ValidationRefused
    return True
