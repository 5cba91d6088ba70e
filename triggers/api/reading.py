"""Turns the body of a request into the arguments of the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

from django.utils import timezone

from common.api.errors import faults_of
from common.errors import Fault, join_faults
from triggers.api.serializers import TriggerSerializer
from triggers.models import Trigger, TriggerType
from triggers.services.validation import InvalidTrigger, find_faults, set_columns
from webhooks.endpoints.lifecycle import API_NAMES, EndpointFields
from webhooks.models import WebhookEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInput:
    """A valid body, split into columns of the trigger and fields of its endpoint."""

    columns: Mapping[str, Any]
    webhook: EndpointFields
    event_types: Sequence[str] | None


def read_trigger(serializer: TriggerSerializer) -> TriggerInput:
    """Read a body; raise InvalidTrigger with all its faults.

    If some fields cannot be parsed, the others are validated, too.
    """
    if serializer.is_valid():
        return _split(serializer.validated_data)
    faults = [*faults_of(serializer.errors), *_find_more_faults(serializer)]
    raise InvalidTrigger(join_faults(faults), faults=faults)


def complete_webhook(given: TriggerInput, trigger: Trigger) -> EndpointFields:
    """Return the fields of a trigger's endpoint that a full body sets.

    A field that the body leaves out gets its default. But only a named field changes if
    the endpoint serves other triggers, and so does the URL, which the sender knows.
    """
    endpoint = trigger.endpoint
    is_kept = given.columns.get("endpoint", endpoint) == endpoint
    if given.columns["trigger_type"] != TriggerType.WEBHOOK or not is_kept:
        return given.webhook
    if endpoint is None or any(t.pk != trigger.pk for t in endpoint.triggers.all()):
        return given.webhook
    fresh = WebhookEndpoint()
    defaults = EndpointFields(
        type_slug=fresh.type,
        allowed_methods=fresh.allowed_methods,
        validation_rules=fresh.validation_rules,
    )
    return {**defaults, **given.webhook}


def _split(fields: Mapping[str, Any]) -> TriggerInput:
    webhook = {
        column: fields[name]
        for column, name in API_NAMES.items()
        if fields.get(name) is not None or (column == "path" and name in fields)
    }
    other = {*API_NAMES.values(), "event_types"}
    columns = {name: value for name, value in fields.items() if name not in other}
    if columns.get("endpoint", "") is None:
        del columns["endpoint"]
    return TriggerInput(
        columns=columns,
        webhook=cast("EndpointFields", webhook),  # its keys are those of API_NAMES
        event_types=fields.get("event_types"),
    )


def _find_more_faults(serializer: TriggerSerializer) -> list[Fault]:
    """Return the faults of the fields that can be parsed."""
    unread = set(serializer.errors)
    readable = _read_again(serializer, without=unread)
    if readable is None:
        return []
    given = _split(readable)
    trigger = copy(serializer.instance) or Trigger(schedule_anchor=timezone.now())
    set_columns(trigger, given.columns)
    faults = find_faults(
        trigger, event_types=given.event_types or (), webhook=given.webhook
    )
    return [fault for fault in faults if fault.pointer[1:].split("/")[0] not in unread]


def _read_again(
    serializer: TriggerSerializer, *, without: set[str]
) -> Mapping[str, Any] | None:
    body = serializer.initial_data
    if not isinstance(body, Mapping):
        return None
    again = TriggerSerializer(
        serializer.instance,
        data={name: value for name, value in body.items() if name not in without},
        partial=True,
        context=serializer.context,
    )
    return again.validated_data if again.is_valid() else None
