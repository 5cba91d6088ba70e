from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import Error as DatabaseError
from django.db import connections
from django.utils.module_loading import import_string

from common.pooling import StatementsMixedUp

logger = logging.getLogger(__name__)

# These settings name functions of higher layers; only this check notices a typo.
DOTTED_PATHS = (
    "TICKHOOK_ON_NEWS",
    "TICKHOOK_ON_TASK_FINISHED",
    "TICKHOOK_FINAL_EXECUTIONS",
    "TICKHOOK_CLOCK",
)


@register
def check_dotted_paths(**_: Any) -> list[CheckMessage]:
    """Import the functions that the settings name."""
    return [error for name in DOTTED_PATHS for error in _check_path(name)]


@register
def check_encryption_keys(**_: Any) -> list[CheckMessage]:
    if settings.FIELD_ENCRYPTION_KEYS:
        return []
    hint = (
        "Make a key: python -c 'from cryptography.fernet import Fernet; "
        "print(Fernet.generate_key().decode())'"
    )
    text = "FIELD_ENCRYPTION_KEYS is not set, so no secret can be stored"
    return [Error(text, hint=hint, id="common.E002")]


@register(checks.Tags.database)
def check_pooler(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Reject a pooler that mixes up statements, before `migrate` uses it."""
    errors: list[CheckMessage] = []
    for alias in databases or ():
        try:
            connections[alias].ensure_connection()
        except StatementsMixedUp as error:
            errors.append(Error(str(error), id="common.E010"))
        except DatabaseError as error:
            logger.warning("The database is unavailable: %s", type(error).__name__)
    return errors


@register(deploy=True)
def check_public_url(**_: Any) -> list[CheckMessage]:
    """Require HTTPS, because senders post to webhook URLs over public networks."""
    if settings.PUBLIC_URL.startswith("https://"):
        return []
    text = "PUBLIC_URL is not https, so others can read what senders post"
    hint = "Set it to the address of the proxy that ends TLS"
    return [checks.Warning(text, hint=hint, id="common.W001")]


@register
def check_trusted_proxies(**_: Any) -> list[CheckMessage]:
    """Require the proxy's address if PUBLIC_URL shows that there is a proxy.

    Without it all clients count as one address, so failed logins of one lock out all,
    and the scheme of requests is unknown, so that webhooks accept plain HTTP.
    """
    if settings.TRUSTED_PROXIES or not settings.PUBLIC_URL.startswith("https://"):
        return []
    text = "PUBLIC_URL is https, so a proxy ends TLS, but TRUSTED_PROXIES is empty"
    hint = (
        "Set TRUSTED_PROXIES to the proxy's address: until then HTTPS is not enforced "
        "for webhooks, and all clients of the proxy count as one address and share the "
        "limits of webhooks and logins"
    )
    return [checks.Warning(text, hint=hint, id="common.W002")]


def _check_path(name: str) -> list[CheckMessage]:
    path = getattr(settings, name)
    try:
        import_string(path)
    except ImportError as error:
        text = f"{name} names {path!r}, which cannot be imported: {error}"
        return [Error(text, hint="Give the path of a function", id="common.E001")]
    return []
