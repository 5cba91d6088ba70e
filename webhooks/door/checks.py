"""What a request must pass before it is recorded: cheap and least forgeable first.

Each check takes a delivery and returns nothing, or raises the error that is answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from common.errors import Fault, InvalidInput, TickhookError
from webhooks.door.request import Delivery
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import live_secrets
from webhooks.signatures import verify


class MethodNotAllowed(TickhookError):
    """This webhook is not received by this method."""

    code = "method_not_allowed"
    http_status = 405

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        super().__init__()
        self.allow = allow(endpoint)


class ValidationRulesFailed(InvalidInput):
    """The request doesn't fit the endpoint's validation rules."""

    code = "validation_failed"


def allow(endpoint: WebhookEndpoint) -> str:
    """Return the Allow header of an endpoint (RFC 9110)."""
    return ", ".join([*endpoint.allowed_methods, "OPTIONS"])


def check_method(delivery: Delivery) -> None:
    if delivery.method not in delivery.endpoint.allowed_methods:
        raise MethodNotAllowed(delivery.endpoint)


def check_size(delivery: Delivery) -> None:
    _ = delivery.body


def check_signature(delivery: Delivery) -> None:
    """Verify the raw bytes; an endpoint without secrets is open where its type is."""
    secrets = live_secrets(delivery.endpoint)
    is_open = (
        not delivery.endpoint.secrets and not delivery.definition.signature_required
    )
    if is_open:
        return
    verify(
        delivery.definition.signature,
        secrets=secrets,
        method=delivery.method,
        url=delivery.url,
        headers=delivery.headers,
        body=delivery.body,
        now=time.time(),
    )


def check_form(delivery: Delivery) -> None:
    """Refuse what is malformed; nothing is kept that can't be read later."""
    _ = delivery.query
    _ = delivery.parsed


def check_rules(delivery: Delivery) -> None:
    """Hold the request against `validation_rules`: required headers, body format."""
    rules = delivery.endpoint.validation_rules
    missing = [
        name
        for name in rules.get("required_headers", ())
        if not delivery.headers.get(name.lower())
    ]
    faults = [Fault(f"/headers/{name}", "This header is required") for name in missing]
    wanted = rules.get("body_format")
    if wanted and delivery.parsed.kind != wanted:
        detail = f"The body must be {wanted}, not {delivery.parsed.kind}"
        faults.append(Fault("/body", detail))
    if faults:
        raise ValidationRulesFailed(faults[0].detail, faults=faults)


CHECKS: tuple[Callable[[Delivery], None], ...] = (
    check_method,
    check_size,
    check_signature,
    check_form,
    check_rules,
)
