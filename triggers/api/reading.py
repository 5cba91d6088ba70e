"""From the body of a request to what the services take."""

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
from triggers.services.columns import set_columns
from triggers.services.validation import InvalidTrigger, find_faults
from webhooks.endpoints.lifecycle import API_NAMES, EndpointFields
from webhooks.models import WebhookEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInput:
    """A valid body, parted into what is the trigger's and what its endpoint's."""

    columns: Mapping[str, Any]
    webhook: EndpointFields
    event_types: Sequence[str] | None


def read_trigger(serializer: TriggerSerializer) -> TriggerInput:
    """Read a body; raise InvalidTrigger with all that is wrong with it at once.

    Where fields can't be read, the others are judged all the same.
    """
    if serializer.is_valid():
        return _part(serializer.validated_data)
    faults = [*faults_of(serializer.errors), *_find_more_faults(serializer)]
    raise InvalidTrigger(join_faults(faults), faults=faults)


def complete_webhook(given: TriggerInput, trigger: Trigger) -> EndpointFields:
    """Return what a full body sets of a trigger's endpoint.

    What it leaves out has its default, but what others share is changed only by name,
    and so is the URL, which the sender knows.
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


def _part(fields: Mapping[str, Any]) -> TriggerInput:
    webhook = {
        column: fields[name]
        for column, name in API_NAMES.items()
        if fields.get(name) is not None or (column == "path" and name in fields)
    }
    parted = {*API_NAMES.values(), "event_types"}
    columns = {name: value for name, value in fields.items() if name not in parted}
    if columns.get("endpoint", "") is None:
        del columns["endpoint"]
    return TriggerInput(
        columns=columns,
        webhook=cast("EndpointFields", webhook),  # its keys are those of API_NAMES
        event_types=fields.get("event_types"),
    )


def _find_more_faults(serializer: TriggerSerializer) -> list[Fault]:
    """Return what is wrong with the fields that can be read."""
    unread = set(serializer.errors)
    readable = _read_again(serializer, without=unread)
    if readable is None:
        return []
    given = _part(readable)
    trigger = copy(serializer.instance) or Trigger(schedule_anchor=timezone.now())
    set_columns(trigger, given.columns)
    faults = find_faults(
        trigger, event_types=given.event_types or (), webhook=given.webhook
    )
    return [fault for fault in faults if _field_of(fault) not in unread]


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


def _field_of(fault: Fault) -> str:
    return fault.pointer.split("/")[1] if fault.pointer else ""
