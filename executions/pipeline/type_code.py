"""Runs the code of webhook types for the events of one batch, within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from events.models import Event
from senders.definitions import WebhookTypeDefinition
from senders.sandbox import (
    SandboxRefused,
    SandboxTimedOut,
    SandboxUnavailable,
    run_parser,
    run_validator,
)
from webhooks.models import WebhookEndpoint

T = TypeVar("T")

MAX_TIMEOUTS = 3


class TypeCodeRunner:
    """Runs parsers and validators; slow code of one type does not hold up the others.

    After the sandbox was unavailable once, it is not called again for this batch. Code
    that timed out three times is not run again either: its remaining events are
    deferred, because they need not be the cause.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._endpoints = {event.endpoint_id for event in events if event.endpoint_id}
        self._timeouts: Counter[str] = Counter()
        self._is_sandbox_down = False

    def parse(
        self, event: Event, body: object, definition: WebhookTypeDefinition
    ) -> dict[str, object]:
        """Return what the type's parser adds; raises what the sandbox raises."""
        request = self._request(event, body)
        return self._run(
            definition.slug,
            lambda: run_parser(definition.custom_parser_code, **request),
        )

    def is_valid(
        self, event: Event, body: object, definition: WebhookTypeDefinition
    ) -> bool:
        """Return whether the type's validation code accepts; False if it fails."""
        request = self._request(event, body)
        try:
            return self._run(
                definition.slug,
                lambda: run_validator(definition.validation_code, **request),
            )
        except SandboxRefused:
            return False

    @cached_property
    def _configs(self) -> dict[UUID, dict[str, Any]]:
        rows = WebhookEndpoint.objects.filter(pk__in=self._endpoints).only("config")
        return {endpoint.id: endpoint.config for endpoint in rows}

    def _request(self, event: Event, body: object) -> dict[str, Any]:
        request: dict[str, Any] = event.request or {}
        endpoint_id = event.endpoint_id
        return {
            "body": body,
            "headers": request.get("headers", {}),
            "config": self._configs.get(endpoint_id, {}) if endpoint_id else {},
            "query": request.get("query", {}),
            "method": request.get("method", ""),
        }

    def _run(self, slug: str, run: Callable[[], T]) -> T:
        if self._is_sandbox_down:
            raise SandboxUnavailable
        if self._timeouts[slug] >= MAX_TIMEOUTS:
            raise SandboxUnavailable(
                f"The code ran too long {MAX_TIMEOUTS} times; "
                "it is not run again in this batch"
            )
        try:
            return run()
        except SandboxTimedOut:
            self._timeouts[slug] += 1
            raise
        except SandboxUnavailable:
            self._is_sandbox_down = True
            raise
