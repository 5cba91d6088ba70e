"""The policy in views of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import MethodNotAllowed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from access.callers import caller_of
from access.policy import Act, why_not


class PolicyPermission(BasePermission):
    """Asks the policy for the act that a view declares for the request.

    A view's `acts` maps the names of its actions, or the methods of a plain view in
    lower case, to acts. What has no act is closed to all.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the caller may act; raise PermissionDenied with the reason.

        Raises MethodNotAllowed for a method that the view does not have.
        """
        if not request.user.is_authenticated:
            return False
        method, caller = str(request.method).lower(), caller_of(request)
        if not hasattr(view, method):
            raise MethodNotAllowed(method.upper())
        reasons = [why_not(caller, act) for act in acts_for(view, method)]
        if reasons and all(reasons):
            raise PermissionDenied(reasons[0])
        return bool(reasons)


def acts_for(view: Any, method: str) -> list[Act]:
    """Return the acts of which a caller must be allowed one.

    To ask for the OPTIONS of a view, it is enough to be allowed anything there.
    """
    acts: Mapping[str, Act] = getattr(view, "acts", {})
    if method == "options":
        return list(acts.values())
    actions = getattr(view, "action_map", None) or {}
    name = actions.get(method) or ("get" if method == "head" else method)
    return [acts[name]] if name in acts else []
