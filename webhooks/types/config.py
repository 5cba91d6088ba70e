from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from common.errors import Fault, json_pointer
from senders.definitions import WebhookTypeDefinition

# As long as `Prefer: wait` may keep a sender waiting.
MAX_WAIT_SECONDS = 10


def find_config_faults(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find what is wrong with an endpoint's config, or is not there and has to be.

    A secret need not be there where one is made unasked.
    """
    yield from _find_missing(definition, config)
    seconds = config.get("max_wait_seconds", 0)
    if type(seconds) is not int or not 0 <= seconds <= MAX_WAIT_SECONDS:
        detail = f"Must be a whole number up to {MAX_WAIT_SECONDS}"
        yield Fault("/webhook_config/max_wait_seconds", detail)
    if definition.reply is not None and not isinstance(config.get("reply", {}), dict):
        yield Fault(
            "/webhook_config/reply", f"Must be what {definition.name} takes: {{}}"
        )


def _find_missing(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    makes_secret = definition.signature is not None and definition.secret_on_creation
    for name in definition.required_config_fields:
        if name == "secret" and makes_secret:
            continue
        if config.get(name) in (None, ""):
            detail = f"{definition.name} requires '{name}' in webhook_config"
            yield Fault(json_pointer("webhook_config", name), detail)
