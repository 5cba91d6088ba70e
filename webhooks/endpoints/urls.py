"""The addresses of endpoints: generated ids, and paths that people choose."""

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
# What a URL can hold as it is (RFC 3986, 2.3): never another spelling of the same path.
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
    """Return the path that somebody chose; None where the id is a generated one."""
    is_generated = endpoint.webhook_id.startswith(GENERATED_PREFIX)
    return None if is_generated else endpoint.webhook_id


def id_for_path(endpoint: WebhookEndpoint, path: str | None) -> str:
    """Return the id that puts an endpoint at a path; None is any generated id."""
    if path is not None:
        return path
    is_custom = custom_path(endpoint) is not None
    return new_webhook_id() if is_custom else endpoint.webhook_id


def find_path_faults(path: str) -> Iterator[Fault]:
    """Find what is wrong with a path below `/webhooks/`; its case counts."""
    segments = path.split("/")
    if len(path) > MAX_PATH_LENGTH:
        yield Fault("", f"Must have at most {MAX_PATH_LENGTH} characters")
    elif not _UNRESERVED.issuperset("".join(segments)):
        yield Fault("", "May hold letters, digits, '-', '.', '_', '~' and '/'")
    elif "" in segments:
        yield Fault("", "Must not be empty, begin or end with '/', or hold '//'")
    elif not {".", ".."}.isdisjoint(segments):
        yield Fault("", "Must not hold '.' or '..' as a part of its own")
    elif path.startswith(GENERATED_PREFIX):
        yield Fault("", f"Must not begin with '{GENERATED_PREFIX}': ids made here do")


@contextmanager
def own_url() -> Iterator[None]:
    """Save an endpoint's address within; raise WebhookUrlTaken if another has it."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "webhook_endpoint_webhook_id_unique" in str(error):
            raise WebhookUrlTaken from error
        raise
