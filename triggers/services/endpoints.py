"""What a trigger does with the endpoint that its webhooks come by."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from agents.services.agents import usable_agents
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

FOREIGN_ENDPOINT = "It serves triggers of agents that you may not use"


def equip(trigger: Trigger, webhook: EndpointFields | None) -> str | None:
    """Give a webhook trigger an endpoint, or change its own; return a secret it set."""
    if trigger.trigger_type != TriggerType.WEBHOOK:
        return None
    if trigger.endpoint_id is None:
        made = create_endpoint(subject=trigger.subject, **(webhook or {}))
        trigger.endpoint = made.endpoint
        return made.secret
    if not webhook:
        return None
    return update_endpoint(endpoint_id=trigger.endpoint_id, **webhook).secret


def pass_subject_on(trigger: Trigger) -> None:
    """Give an endpoint its trigger's subject; raise InvalidTrigger if it has others."""
    if trigger.endpoint_id is None:
        return
    others = Trigger.objects.present().exclude(pk=trigger.pk)
    if others.filter(endpoint_id=trigger.endpoint_id).exists():
        detail = "Its endpoint serves other triggers of the present subject"
        raise InvalidTrigger(detail, faults=[Fault("/subject", detail)])
    update_endpoint(endpoint_id=trigger.endpoint_id, subject=trigger.subject)


def is_open_to(user: AbstractBaseUser | AnonymousUser, endpoint_id: UUID) -> bool:
    """Whether a user may use the agents of all triggers that an endpoint serves."""
    return are_open_to(user, {endpoint_id})


def are_open_to(
    user: AbstractBaseUser | AnonymousUser, endpoint_ids: Set[UUID | None]
) -> bool:
    """Whether a user may use the agents of all that these endpoints serve."""
    served = Trigger.objects.present().filter(endpoint_id__in=endpoint_ids)
    return not served.exclude(agent__in=usable_agents(user)).exists()


def retire_endpoint(endpoint_id: UUID | None) -> None:
    """Close an endpoint that a trigger has left, unless it serves others."""
    if endpoint_id is None:
        return
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id)
    _ = list(endpoint.select_for_update().values_list("pk"))
    if not Trigger.objects.present().filter(endpoint_id=endpoint_id).exists():
        close_endpoint(endpoint_id=endpoint_id)
