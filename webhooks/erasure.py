"""Erases what endpoints of a subject keep of requests, apart from their events."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from access.erasure import (
    ROWS,
    Batch,
    ErasedData,
    Owner,
    Scope,
    Stage,
    erase_owned,
    register_data,
    register_definitions,
    register_part,
)
from webhooks.inspectors.store import count_received, delete_inspectors
from webhooks.models import PendingFetch, PendingFetchKind, Rejection, WebhookEndpoint


def erase_requests(scope: Scope, is_dry: bool) -> Iterator[Batch]:
    """Erase the rows that belong to the endpoints of a subject."""
    endpoint_ids = scope.ids[Owner.ENDPOINT]
    for start in range(0, len(endpoint_ids), ROWS):
        ids = endpoint_ids[start : start + ROWS]
        yield from erase_owned(Owner.ENDPOINT, ids, is_dry=is_dry)


def erase_inspectors(scope: Scope, is_dry: bool) -> Iterator[Batch]:
    """Erase what the test-mode URLs of endpoints of a subject received.

    Raises InspectorsUnavailable.
    """
    endpoint_ids = scope.ids[Owner.ENDPOINT]
    if endpoint_ids:
        count = count_received if is_dry else delete_inspectors
        yield Batch(kind="requests to test-mode URLs", rows=count(endpoint_ids))


register_definitions(Owner.ENDPOINT, WebhookEndpoint)
# Certificates and keys that were fetched are public, and other endpoints use them, too.
register_data(
    ErasedData(
        kind="pending fetches",
        model=PendingFetch,
        owner=Owner.ENDPOINT,
        key="endpoint_id",
        only=Q(kind=PendingFetchKind.CONFIRMATION) | Q(result=""),
    )
)
register_data(
    ErasedData(
        kind="rejections", model=Rejection, owner=Owner.ENDPOINT, key="endpoint_id"
    )
)
register_part(Stage.REQUESTS, erase_requests)
register_part(Stage.REDIS, erase_inspectors)
