from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import Fault
from common.json_schema import TooCostly, UnusableSchema, find_value_faults
from senders.definitions import WebhookTypeDefinition

TOO_COSTLY = "Is too large to be held against its json_schema"
UNUSABLE = "Can't be held against its json_schema: that is not usable"


def find_body_faults(definition: WebhookTypeDefinition, value: object) -> list[Fault]:
    """Return where a body differs from its type's schema."""
    return hold_against(definition.json_schema, value)


def hold_against(schema: Mapping[str, Any] | bool | None, value: object) -> list[Fault]:
    """Return where a body differs from a schema; bounded in time.

    Pointers begin with `/body`. A body that takes too long to check is at fault, too.
    """
    if schema is None or schema is True:
        return []
    if schema is False:
        return [Fault("/body", "No body at all is taken")]
    try:
        faults = find_value_faults(schema, value)
    except TooCostly:
        return [Fault("/body", TOO_COSTLY)]
    except UnusableSchema:
        return [Fault("/body", UNUSABLE)]
    return [Fault(f"/body{fault.pointer}", fault.detail) for fault in faults]
