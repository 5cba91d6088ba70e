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

# The calls that go upwards are named by settings: nothing else would notice a typo.
DOTTED_PATHS = (
    "TICKHOOK_ON_NEWS",
    "TICKHOOK_ON_TASK_FINISHED",
    "TICKHOOK_FINAL_EXECUTIONS",
    "TICKHOOK_CLOCK",
)


@register
def check_dotted_paths(**_: Any) -> list[CheckMessage]:
    """Import what the settings name."""
    return [error for name in DOTTED_PATHS for error in _check_path(name)]


@register
def check_encryption_keys(**_: Any) -> list[CheckMessage]:
    if settings.FIELD_ENCRYPTION_KEYS:
        return []
    hint = (
        "Make one: python -c 'from cryptography.fernet import Fernet; "
        "print(Fernet.generate_key().decode())'"
    )
    text = "FIELD_ENCRYPTION_KEYS is not set: no secret can be stored"
    return [Error(text, hint=hint, id="common.E002")]


@register(checks.Tags.database)
def check_pooler(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Refuse a pooler that mixes up statements, before `migrate` uses it."""
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
    """Ask for HTTPS: a webhook URL is given to strangers."""
    if settings.PUBLIC_URL.startswith("https://"):
        return []
    text = "PUBLIC_URL is not https: what senders POST can be read on its way"
    hint = "Set it to the address of the proxy that ends TLS"
    return [checks.Warning(text, hint=hint, id="common.W001")]


@register
def check_trusted_proxies(**_: Any) -> list[CheckMessage]:
    """Ask for the proxy's address where PUBLIC_URL shows that there is one.

    Without it all clients count as one address: one that fails to log in locks out all.
    """
    if settings.TRUSTED_PROXIES or not settings.PUBLIC_URL.startswith("https://"):
        return []
    text = "PUBLIC_URL is https, so a proxy ends TLS, but TRUSTED_PROXIES is empty"
    hint = (
        "Set TRUSTED_PROXIES to the proxy's address: until then all its clients count "
        "as one address, and share the limits of webhooks and logins"
    )
    return [checks.Warning(text, hint=hint, id="common.W002")]


def _check_path(name: str) -> list[CheckMessage]:
    path = getattr(settings, name)
    try:
        import_string(path)
    except ImportError as error:
        text = f"{name} names {path!r}, which can't be imported: {error}"
        return [Error(text, hint="Give the path of a function", id="common.E001")]
    return []
