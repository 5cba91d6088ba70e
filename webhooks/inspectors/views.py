from __future__ import annotations

from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webhooks.endpoints.lifecycle import METHODS
from webhooks.inspectors.showing import received_by, show
from webhooks.inspectors.store import find_inspector, keep_request, refuse_if_full
from webhooks.receiver.view import AlwaysJSON


class InspectorView(APIView):
    """Receives by any method what is to be shown; bounded, and never an event."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    http_method_names = [m.lower() for m in METHODS]  # noqa: RUF012 - its type in Django
    schema = None

    def receive(self, request: Request, token: str) -> Response:
        inspector = find_inspector(token)
        refuse_if_full(token)
        delivery = received_by(inspector, request._request)
        keep_request(token, show(inspector, delivery))
        return Response({"success": True, "status": "shown"})

    get = post = put = patch = delete = receive

    def handle_exception(self, exc: Exception) -> Response:
        response: Any = super().handle_exception(exc)
        response.data |= {"success": False, "error": response.data["detail"]}
        return response  # type: ignore[no-any-return]  # DRF's stub says Response
