from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from common.errors import Fault, json_pointer
from webhooks.definitions import WebhookTypeDefinition


def find_config_faults(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find what a type requires of an endpoint's config and is not there.

    A secret need not be there where one is made unasked.
    """
    makes_secret = definition.signature is not None and definition.secret_on_creation
    for name in definition.required_config_fields:
        if name == "secret" and makes_secret:
            continue
        if config.get(name) in (None, ""):
            detail = f"{definition.name} requires '{name}' in webhook_config"
            yield Fault(json_pointer("webhook_config", name), detail)
