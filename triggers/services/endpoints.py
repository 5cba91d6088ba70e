"""The endpoints of webhook triggers: create, change, share and close them."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from access.callers import Caller
from agents.access import usable_agents
from common.errors import Fault
from triggers.models import Trigger, TriggerType
from triggers.services.validation import InvalidTrigger
from webhooks.endpoints.lifecycle import (
    EndpointFields,
    close_endpoint,
    create_endpoint,
    update_endpoint,
)
from webhooks.models import WebhookEndpoint


def save_endpoint(trigger: Trigger, webhook: EndpointFields | None) -> str | None:
    """Create or change a webhook trigger's endpoint; return a secret that it set."""
    if trigger.trigger_type != TriggerType.WEBHOOK:
        return None
    if trigger.endpoint_id is None:
        made = create_endpoint(subject=trigger.subject, **(webhook or {}))
        trigger.endpoint = made.endpoint
        return made.secret
    if not webhook:
        return None
    return update_endpoint(endpoint_id=trigger.endpoint_id, **webhook).secret


def require_same_subject(trigger: Trigger) -> None:
    """Raise InvalidTrigger if a trigger's endpoint belongs to another subject.

    A trigger without a subject may receive the events of any endpoint.
    """
    endpoint = trigger.endpoint
    if endpoint is None or trigger.subject in ("", endpoint.subject):
        return
    detail = (
        f"The endpoint has the subject '{endpoint.subject}', the trigger "
        f"'{trigger.subject}'. Leave endpoint_id out: the trigger gets its own"
    )
    raise InvalidTrigger(detail, faults=[Fault("/endpoint_id", detail)])


def update_endpoint_subject(trigger: Trigger) -> None:
    """Copy a trigger's subject to its endpoint.

    Raises InvalidTrigger if the endpoint also serves other triggers.
    """
    if trigger.endpoint_id is None:
        return
    others = Trigger.objects.present().exclude(pk=trigger.pk)
    if others.filter(endpoint_id=trigger.endpoint_id).exists():
        detail = (
            "The subject cannot change: the endpoint also serves other triggers of the "
            "present subject. Give this trigger an endpoint of its own first"
        )
        raise InvalidTrigger(detail, faults=[Fault("/subject", detail)])
    update_endpoint(endpoint_id=trigger.endpoint_id, subject=trigger.subject)


def is_open_to(caller: Caller, endpoint_id: UUID) -> bool:
    """Return whether a caller may use the agents of all triggers of an endpoint."""
    return not closed_endpoints(caller, {endpoint_id})


def closed_endpoints(
    caller: Caller, endpoint_ids: Set[UUID | None]
) -> Set[UUID | None]:
    """Return those endpoints that serve a trigger whose agent a caller may not use."""
    served = Trigger.objects.present().filter(endpoint_id__in=endpoint_ids)
    closed = served.exclude(agent__in=usable_agents(caller))
    return set(closed.values_list("endpoint_id", flat=True).distinct())


def close_unused_endpoint(endpoint_id: UUID | None) -> None:
    """Close an endpoint that a trigger no longer uses, unless others use it."""
    if endpoint_id is None:
        return
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id)
    _ = list(endpoint.select_for_update().values_list("pk"))
    if not Trigger.objects.present().filter(endpoint_id=endpoint_id).exists():
        close_endpoint(endpoint_id=endpoint_id)
