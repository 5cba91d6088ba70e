"""Shows an endpoint's config without its secrets, and reads such a config back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import re2

from common.errors import Fault, json_pointer
from webhooks.models import WebhookEndpoint
from webhooks.types.config_auth import AUTH

MASK = "********"
# The reply is sent to the caller of the webhook, so it is no secret.
_SHOWN = frozenset({"reply"})
_SHOWN_OF_AUTH = frozenset({"type", "name"})
# The config is free for some types, so what is secret shows only in the name.
_SECRET_NAME = re2.compile(
    r"(?i)secret|token|passw|passphrase|pwd|key|cred|auth|sign|private|salt|hmac|jwt"
    r"|bearer|cookie|session|dsn|(^|[_.-])(code|pass|pin|sig|pat)([_.-]|$)"
)
# A URL with a login, or with a parameter that may be one.
_SECRET_URL = re2.compile(r"(?i)^[a-z][a-z0-9+.-]*://([^/?#]*@|[^#]*\?.*=)")


def masked_config(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return the config with the mask in the place of each secret.

    `secret` is the mask if the endpoint has a secret.
    """
    config = {
        name: value if name in _SHOWN else _mask(name, value)
        for name, value in endpoint.config.items()
    }
    return {**config, **({"secret": MASK} if endpoint.secrets else {})}


def _mask(name: str, value: Any, *, is_secret: bool = False) -> Any:
    is_secret = is_secret or _SECRET_NAME.search(name) is not None
    if isinstance(value, dict):
        shown = _SHOWN_OF_AUTH if name == AUTH else ()
        return {
            key: item if key in shown else _mask(key, item, is_secret=is_secret)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_mask("", item, is_secret=is_secret) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_secret or (isinstance(value, str) and _SECRET_URL.search(value)):
        return MASK
    return value


def restore_masked(
    endpoint: WebhookEndpoint, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the config with the stored values in the places of their masks.

    Where nothing is stored, the mask stays; `find_mask_faults` finds it.
    """
    kept = {
        name: value
        for name, value in config.items()
        if not (name == "secret" and value == MASK and endpoint.secrets)
    }
    restored: dict[str, Any] = _restore(kept, endpoint.config)
    return restored


def _restore(value: Any, stored: Any) -> Any:
    if value == MASK:
        return value if stored is None or isinstance(stored, dict | list) else stored
    if isinstance(value, dict) and isinstance(stored, dict):
        return {key: _restore(item, stored.get(key)) for key, item in value.items()}
    is_same_list = isinstance(value, list) and isinstance(stored, list)
    if is_same_list and len(value) == len(stored):
        return [_restore(*pair) for pair in zip(value, stored, strict=True)]
    return value


def find_mask_faults(value: Any, *path: str) -> Iterator[Fault]:
    """Find masks that stand for no stored secret; pointers are relative to `value`."""
    if value == MASK:
        detail = (
            "Is the mask of a stored secret: send the secret itself, or leave it out"
        )
        yield Fault(json_pointer(*path), detail)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find_mask_faults(item, *path, key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from find_mask_faults(item, *path, str(index))
