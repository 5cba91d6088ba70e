"""The URLs of endpoints: generated ids, and paths that people choose."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import IntegrityError, transaction

from common.errors import Conflict, Fault
from webhooks.models import WebhookEndpoint

GENERATED_PREFIX = "wht_"
MAX_PATH_LENGTH = 200
# The unreserved characters of RFC 3986 (2.3): they are never percent-encoded, so a path
# has one spelling.
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


class WebhookUrlTaken(Conflict):
    """This webhook URL is already in use."""

    code = "webhook_url_in_use"

    def __init__(self) -> None:
        text = "This webhook URL is already in use; choose another path"
        super().__init__(text, faults=[Fault("/webhook_path", text)])


def webhook_url(endpoint: WebhookEndpoint) -> str:
    return f"{settings.PUBLIC_URL}/webhooks/{endpoint.webhook_id}"


def new_webhook_id() -> str:
    return f"{GENERATED_PREFIX}{secrets.token_hex(16)}"


def custom_path(endpoint: WebhookEndpoint) -> str | None:
    """Return the path that a user chose; None if the id is a generated one."""
    is_generated = endpoint.webhook_id.startswith(GENERATED_PREFIX)
    return None if is_generated else endpoint.webhook_id


def id_for_path(endpoint: WebhookEndpoint, path: str | None) -> str:
    """Return the id that gives an endpoint this path; None asks for a generated id."""
    if path is not None:
        return path
    is_custom = custom_path(endpoint) is not None
    return new_webhook_id() if is_custom else endpoint.webhook_id


def find_path_faults(path: str) -> Iterator[Fault]:
    """Find what is wrong with a path below `/webhooks/`; it is case-sensitive."""
    segments = path.split("/")
    if len(path) > MAX_PATH_LENGTH:
        yield Fault("", f"Must have at most {MAX_PATH_LENGTH} characters")
    elif not _UNRESERVED.issuperset("".join(segments)):
        yield Fault("", "Can contain only letters, digits, '-', '.', '_', '~' and '/'")
    elif "" in segments:
        yield Fault("", "Must not be empty, begin or end with '/', or contain '//'")
    elif not {".", ".."}.isdisjoint(segments):
        yield Fault("", "Must not have '.' or '..' as a segment")
    elif path.startswith(GENERATED_PREFIX):
        yield Fault(
            "", f"Must not begin with '{GENERATED_PREFIX}', as generated ids do"
        )


@contextmanager
def unique_url() -> Iterator[None]:
    """Run a block in a transaction; raise WebhookUrlTaken if the URL is in use."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "webhook_endpoint_webhook_id_unique" in str(error):
            raise WebhookUrlTaken from error
        raise
