"""What an event keeps of the request that it came with, except the body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.fields import dump_json
from senders.definitions import WebhookTypeDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """The content of `Event.request`. Only this class knows the names of its members.

    With `is_validated`, the receiver has run the validation code of the type and it
    accepted the request. If not, the worker runs it: the receiver runs the code only
    for a sender that has proved its identity.
    """

    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)
    remote_address: str = ""
    is_validated: bool = False

    def to_json(self) -> str:
        kept: dict[str, object] = {
            "method": self.method,
            "headers": self.headers,
            "query": self.query,
            "remote_address": self.remote_address,
        }
        # Conditions can read these members, so this one is left out where it is false.
        if self.is_validated:
            kept["validated"] = True
        return dump_json(kept)

    @classmethod
    def from_event(cls, request: Mapping[str, Any] | None) -> StoredRequest:
        """Return what an event keeps, also of earlier releases and other sources."""
        kept = request or {}
        return cls(
            method=kept.get("method", ""),
            headers=kept.get("headers", {}),
            query=kept.get("query", {}),
            remote_address=kept.get("remote_address", ""),
            is_validated=kept.get("validated") is True,
        )


def has_validation_code(definition: WebhookTypeDefinition) -> bool:
    """Return whether the code of the type must accept its deliveries."""
    return definition.validation_required and bool(definition.validation_code)
