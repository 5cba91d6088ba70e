from __future__ import annotations

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from agents.services.agents import usable_agents
from triggers.models import Trigger


class AgentPermission(BasePermission):
    """Who changes, enables or runs a trigger must be allowed to use its agent.

    Stopping is not working it: to disable or to delete a trigger needs no such right.
    """

    message = "The agent of this trigger is not accessible to you"

    def has_object_permission(
        self, request: Request, view: APIView, obj: Trigger
    ) -> bool:
        if request.method in SAFE_METHODS:
            return True
        return usable_agents(request.user).filter(pk=obj.agent_id).exists()
