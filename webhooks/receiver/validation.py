"""The validation code of a sender's type, run before its delivery is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from common.errors import InvalidInput
from senders.definitions import WebhookTypeDefinition
from senders.sandbox import SandboxRefused, run_validator

# Where the request that is kept of a delivery tells that the code accepted it. Without
# it, the worker runs the code.
VALIDATED = "validated"


class ValidationRefused(InvalidInput):
    """The validation code of this webhook's type doesn't accept the request."""

    code = "validation_refused"


def has_validation(definition: WebhookTypeDefinition) -> bool:
    """Whether deliveries of this type are held against code."""
    return definition.validation_required and bool(definition.validation_code)


def check_validation_code(
    definition: WebhookTypeDefinition,
    *,
    headers: Mapping[str, Any],
    body: object,
    config: Mapping[str, Any],
    endpoint_id: UUID,
) -> bool:
    """Return whether there was code and it accepted; `VALIDATED` says so later.

    Only for a sender who proved who it is: a stranger must not set code to work.
    `headers` are those that are kept, without credentials, as a worker has no others.
    Raise ValidationRefused, or SandboxUnavailable where the sender is to come again: at
    once if the code of this endpoint already runs in this process.
    """
    if not has_validation(definition):
        return False
    try:
        is_valid = run_validator(
            definition.validation_code,
            headers=headers,
            body=body,
            config=config,
            one_at_a_time=endpoint_id,
        )
    except SandboxRefused as error:
        raise ValidationRefused from error
    if not is_valid:
        raise ValidationRefused
    return True
