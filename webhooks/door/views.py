from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.api.errors import problem_response
from common.errors import NotFound
from webhooks.door.checks import CHECKS, MethodNotAllowed, allow
from webhooks.door.endpoints import find_endpoint
from webhooks.door.record import Recorded, record_delivery
from webhooks.door.request import Delivery
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import METHODS
from webhooks.services.types import definition_at


class WebhookNotFound(NotFound):
    """Trigger not found"""

    code = "webhook_not_found"


class AlwaysJSON(BaseContentNegotiation):
    """Senders say `Accept: text/html` or worse, and want their event taken."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class WebhookView(APIView):
    """Receives what senders POST: checked, recorded, answered; never judged here."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    http_method_names = [m.lower() for m in (*METHODS, "HEAD", "OPTIONS")]  # noqa: RUF012 - its type in Django
    schema = None

    def receive(self, request: Request, webhook_id: str) -> HttpResponseBase:
        delivery = _open(request._request, webhook_id)
        for check in CHECKS:
            check(delivery)
        return _accepted(record_delivery(delivery))

    get = post = put = patch = delete = receive

    def head(self, request: Request, webhook_id: str) -> HttpResponseBase:
        """Answer as HTTP asks, without recording anything."""
        delivery = _open(request._request, webhook_id)
        if "GET" not in delivery.endpoint.allowed_methods:
            raise MethodNotAllowed(delivery.endpoint)
        return HttpResponse()

    def options(  # type: ignore[override]  # the path names the endpoint
        self, request: Request, webhook_id: str
    ) -> HttpResponseBase:
        endpoint = _open(request._request, webhook_id).endpoint
        return HttpResponse(status=204, headers={"Allow": allow(endpoint)})

    def http_method_not_allowed(  # type: ignore[override]  # the path names it
        self, request: Request, webhook_id: str
    ) -> Response:
        raise MethodNotAllowed(_find(webhook_id))

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: what an endpoint allows is its own, not what the view could do."""
        return {}

    def handle_exception(self, exc: Exception) -> Response:
        context: dict[str, Any] = self.get_exception_handler_context()
        response = problem_response(exc, context)
        response.data |= {"success": False, "error": response.data["detail"]}
        if isinstance(exc, MethodNotAllowed):
            response["Allow"] = exc.allow
        response.exception = True
        return response


def _open(request: HttpRequest, webhook_id: str) -> Delivery:
    endpoint = _find(webhook_id)
    return Delivery(
        endpoint=endpoint,
        definition=definition_at(endpoint.type, endpoint.type_revision),
        http=request,
        method=request.method or "",
        url=settings.PUBLIC_URL + request.get_full_path(),
    )


def _find(webhook_id: str) -> WebhookEndpoint:
    """Return an active endpoint; a disabled one is as unknown as one that never was."""
    if "\x00" in webhook_id:  # PostgreSQL can't be asked for it
        raise WebhookNotFound
    try:
        endpoint = find_endpoint(webhook_id)
    except (OperationalError, InterfaceError):
        # The server was restarted since this thread's last request: connect anew.
        connection.close()
        endpoint = find_endpoint(webhook_id)
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


def _accepted(recorded: Recorded) -> HttpResponse:
    body: dict[str, object] = {
        "success": True,
        "status": "duplicate" if recorded.is_duplicate else "accepted",
        "event_id": str(recorded.event_id),
        "executions": [],
    }
    return HttpResponse(orjson.dumps(body), content_type="application/json")
