from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from common.addresses import parse_address
from common.api.errors import problem_response
from common.database.errors import drop_connection, is_unavailable
from common.errors import NotFound, TickhookError
from webhooks.endpoints.lifecycle import METHODS
from webhooks.limits.requests import count_forgery
from webhooks.models import WebhookEndpoint
from webhooks.receiver.answers import answer_refusal
from webhooks.receiver.checks import allow
from webhooks.receiver.endpoints import find_endpoint
from webhooks.receiver.reception import receive
from webhooks.receiver.refusals import noted_if_refused
from webhooks.receiver.request import Delivery
from webhooks.types import definition_at


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
        return _answer(_open(request._request, webhook_id))

    get = post = put = patch = delete = receive

    def head(self, request: Request, webhook_id: str) -> HttpResponseBase:
        """Answer as HTTP asks, without recording anything."""
        delivery = _open(request._request, webhook_id)
        allowed = delivery.endpoint.allowed_methods
        if delivery.unsigned_handshake is None and "GET" in allowed:
            return HttpResponse()
        return _answer(delivery)

    def options(  # type: ignore[override]  # the path names the endpoint
        self, request: Request, webhook_id: str
    ) -> HttpResponseBase:
        delivery = _open(request._request, webhook_id)
        headers = {"Allow": allow(delivery.endpoint)}
        if delivery.unsigned_handshake is None:
            return HttpResponse(status=204, headers=headers)
        answer = _answer(delivery)
        answer["Allow"] = headers["Allow"]
        return answer

    def http_method_not_allowed(  # type: ignore[override]  # the path names it
        self, request: Request, webhook_id: str
    ) -> HttpResponseBase:
        return _answer(_open(request._request, webhook_id))

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: what an endpoint allows is its own, not what the view could do."""
        return {}

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]  # no DRF response
        """Answer what is refused; what nobody foresaw as everywhere."""
        if isinstance(exc, TickhookError):
            return answer_refusal(exc, self.request._request)
        context: dict[str, Any] = self.get_exception_handler_context()
        response = problem_response(exc, context)
        response.data |= {"success": False, "error": response.data["detail"]}
        response.exception = True
        return response


def _answer(delivery: Delivery) -> HttpResponse:
    """Let a request through the door, and tell its sender what is left of a limit."""
    with noted_if_refused(delivery):
        answer = receive(delivery)
    for name, value in delivery.answer_headers.items():
        answer[name] = value
    return answer


def _open(request: HttpRequest, webhook_id: str) -> Delivery:
    endpoint = _find(webhook_id)
    if endpoint is None:
        count_forgery(parse_address(request.META.get("REMOTE_ADDR", "")))
        raise WebhookNotFound
    return Delivery(
        endpoint=endpoint,
        definition=definition_at(endpoint.type, endpoint.type_revision),
        http=request,
        method=request.method or "",
        url=settings.PUBLIC_URL + _target(request),
    )


def _target(request: HttpRequest) -> str:
    """Return path and query as they were sent, where the web server tells: senders
    sign them as they write them.
    """
    meta = request.META
    sent: str = meta.get("REQUEST_URI") or meta.get("RAW_URI", "")
    return sent if sent.startswith("/") else request.get_full_path()


def _find(webhook_id: str) -> WebhookEndpoint | None:
    """Return an active endpoint; a disabled one is as unknown as one that never was."""
    if "\x00" in webhook_id:  # PostgreSQL can't be asked for it
        return None
    try:
        return find_endpoint(webhook_id)
    except Error as error:
        if not is_unavailable(error):
            raise
        # The first statement of a request fails if the server was restarted since the
        # last one of this thread; nothing has been written yet.
        drop_connection()
        return find_endpoint(webhook_id)
