"""Which events an endpoint accepts, and the settings of shipped types.

`webhook_config.filter_events` lists event types, with or without the slug; a type can
name another key that its sender's users know, such as Telegram's `allowed_updates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import re2

from common.errors import Fault, json_pointer
from senders.definitions import WebhookTypeDefinition, get_shipped
from senders.parsing.finding import UNKNOWN_EVENT_TYPE
from webhooks.models import WebhookEndpoint

FILTER = "filter_events"
MAX_EVENTS = 100


class EventFilters:
    """Decides which events their endpoints accept, for the events of a batch.

    Configs are decrypted once per change: a batch reads only when each endpoint was
    changed last, if at all.
    """

    def __init__(self, endpoint_ids: Iterable[UUID | None]) -> None:
        self._endpoint_ids = set(filter(None, endpoint_ids))

    def accept(
        self,
        definition: WebhookTypeDefinition,
        event_type: str,
        endpoint_id: UUID | None,
    ) -> bool:
        # Without different event types there is nothing to choose from.
        if endpoint_id is None or not definition.has_event_types:
            return True
        updated_at = self._updated_at.get(endpoint_id)
        if updated_at is None:
            return True
        keys = (FILTER, definition.event_filter)
        filters = _filters(endpoint_id, updated_at, keys)
        return all(_matches(event_type, definition.slug, names) for names in filters)

    @cached_property
    def _updated_at(self) -> dict[UUID, datetime]:
        rows = WebhookEndpoint.objects.filter(pk__in=self._endpoint_ids).order_by()
        return dict(rows.values_list("pk", "updated_at"))


@lru_cache(maxsize=4096)
def _filters(
    endpoint_id: UUID, updated_at: datetime, keys: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    rows = WebhookEndpoint.objects.filter(pk=endpoint_id).only("config")
    config: Mapping[str, Any] = next((row.config for row in rows), {})
    given = (config.get(key) for key in dict.fromkeys(keys))
    return tuple(
        tuple(names)
        for names in given
        if isinstance(names, list)
        and names
        and all(isinstance(name, str) for name in names)
    )


def _matches(event_type: str, slug: str, names: Sequence[str]) -> bool:
    for name in names:
        wanted = f"{slug}.{name.removeprefix(f'{slug}.')}"
        if wanted == event_type:
            return True
        if wanted.endswith(".*") and event_type.startswith(wanted[:-1]):
            return True
    return False


def find_setting_faults(
    definition: WebhookTypeDefinition, config: Mapping[str, Any]
) -> Iterator[Fault]:
    """Find filters and settings of a shipped type that cannot be meant.

    The config of other types is free: their code may read it.
    """
    if definition is not get_shipped(definition.slug):
        return
    if definition.has_event_types:
        for key in dict.fromkeys((FILTER, definition.event_filter)):
            if key and key in config:
                yield from _find_filter_faults(definition, key, config[key])
    for field in definition.config_fields:
        value = config.get(field.name)
        if value is None:
            continue
        if not isinstance(value, str) or not re2.fullmatch(field.pattern, value):
            yield Fault(json_pointer("webhook_config", field.name), field.expected)


def _find_filter_faults(
    definition: WebhookTypeDefinition, key: str, value: object
) -> Iterator[Fault]:
    pointer = f"/webhook_config/{key}"
    names = value if isinstance(value, list) else [None]
    if len(names) > MAX_EVENTS or not all(isinstance(n, str) and n for n in names):
        detail = f"Must be a list of at most {MAX_EVENTS} event types, such as 'push'"
        yield Fault(pointer, detail)
        return
    if not names and key == FILTER:
        yield Fault(pointer, "Name at least one event type, or leave it out for all")
    for place, name in enumerate(names):
        if detail := _explain_unknown_event(definition, name):
            yield Fault(f"{pointer}/{place}", detail)


def _explain_unknown_event(definition: WebhookTypeDefinition, written: str) -> str:
    """Say why the sender sends no such event; empty if it may send it."""
    name = written.removeprefix(f"{definition.slug}.")
    if definition.events is None or name in {*definition.events, UNKNOWN_EVENT_TYPE}:
        return ""
    stem = name.removesuffix("*")
    if stem.endswith(".") and any(one.startswith(stem) for one in definition.events):
        return ""
    close = get_close_matches(name, definition.events, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{definition.name} sends no event '{written[:100]}'{hint}"
