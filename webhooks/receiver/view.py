"""The receiver: checks a webhook request, records its event, answers.

Senders get their answer after one SELECT and one INSERT. Triggers and conditions are
evaluated later, by workers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from common.addresses import parse_address
from common.api.errors import problem_response
from common.errors import NotFound, TickhookError
from events.services.record import NewEvent, record_events
from senders.definitions.webhook_types import BatchFormat
from webhooks.endpoints.lifecycle import METHODS
from webhooks.limits import count_forgery
from webhooks.models import WebhookEndpoint
from webhooks.receiver.answers import (
    answer_accepted,
    answer_batch,
    answer_handshake,
    answer_probe,
    answer_refusal,
)
from webhooks.receiver.checks import allow_header, check_request
from webhooks.receiver.cors import allow_origin, answer_preflight, is_preflight
from webhooks.receiver.handshakes import find_unsigned_handshake, is_probe
from webhooks.receiver.record import (
    DeliveryIdConflict,
    event_of,
    is_batch,
    record_batch,
    record_with_confirmation,
    recorded_as,
    url_to_confirm,
)
from webhooks.receiver.refusals import (
    record_duplicate,
    record_handshake,
    record_refusal,
)
from webhooks.receiver.request import WebhookRequest, find_endpoints, open_request
from webhooks.types import definition_at

PREFIX = "/webhooks/"


class WebhookNotFound(NotFound):
    """Trigger not found"""

    code = "webhook_not_found"


# Yields the event of a delivery, and expects the ids of the recorded ones that are new.
Steps = Generator[NewEvent, set[UUID], HttpResponse]


def receive(request: WebhookRequest) -> Steps:
    """Check and answer a request; raise TickhookError if it is refused.

    The event of an ordinary delivery is yielded, because the caller may record it
    together with others. What comes after it belongs to the same request.
    """
    try:
        check_request(request)
        answer = yield from _record_and_answer(request)
    except TickhookError as error:
        record_refusal(request, error)
        raise
    for name, value in request.limit_headers.items():
        answer[name] = value
    return answer


def receive_alone(request: WebhookRequest) -> HttpResponse:
    """Receive a request and record its event at once; raise TickhookError."""
    steps = receive(request)
    try:
        event = next(steps)
        steps.send(record_events([event]))
    except StopIteration as end:
        answer: HttpResponse = end.value
        return answer
    raise AssertionError("A request has one event")


def _record_and_answer(request: WebhookRequest) -> Steps:
    if request.handshake is not None:
        record_handshake(request, request.handshake)
        return answer_handshake(request, request.handshake)
    batch, parsed = request.definition.batch, request.content.parsed
    if batch is not None and is_batch(
        request.definition, content_type=request.content_type, parsed=parsed
    ):
        return _receive_items(request, batch)
    if url := url_to_confirm(request):
        recorded = record_with_confirmation(request, url)
    else:
        event = event_of(request)
        recorded = recorded_as(request, event, (yield event))
    if recorded.status == "duplicate":
        record_duplicate(request, recorded.event_id)
    return answer_accepted(request, recorded)


def _receive_items(request: WebhookRequest, batch: BatchFormat) -> HttpResponse:
    """Record and answer a request that contains several events."""
    items = record_batch(request, batch)
    statuses = {one.status for one in items}
    if "conflict" in statuses:
        record_refusal(request, DeliveryIdConflict())
    if statuses == {"duplicate"}:
        record_duplicate(request, items[0].event_id)
    return answer_batch(request, items)


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON whatever the Accept header says: some senders send text/html."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


class WebhookView(APIView):
    """The URL that senders POST to."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    http_method_names = [m.lower() for m in (*METHODS, "HEAD", "OPTIONS")]  # noqa: RUF012 - its type in Django
    schema = None

    found: WebhookRequest | None = None

    def perform_authentication(self, request: Request) -> None:
        """Do nothing: a sender is no user, and proves its identity in its own way."""

    def handle(self, request: Request, webhook_id: str) -> HttpResponseBase:
        return self.receive(self._find(request, webhook_id))

    post = put = patch = delete = handle

    def get(self, request: Request, webhook_id: str) -> HttpResponseBase:
        """Receive a delivery; answer a probe without recording anything."""
        found = self._find(request, webhook_id)
        return answer_probe() if is_probe(found) else self.receive(found)

    def head(self, request: Request, webhook_id: str) -> HttpResponseBase:
        """Answer as HTTP requires, without recording anything."""
        found = self._find(request, webhook_id)
        is_handshake = find_unsigned_handshake(found) is not None
        if "GET" in found.endpoint.allowed_methods and not is_handshake:
            return HttpResponse()
        return self.receive(found)

    def options(  # type: ignore[override]  # the path names the endpoint
        self, request: Request, webhook_id: str
    ) -> HttpResponseBase:
        found = self._find(request, webhook_id)
        if find_unsigned_handshake(found) is not None:
            answer = self.receive(found)
        elif is_preflight(found):
            answer = answer_preflight(found)
        else:
            answer = HttpResponse(status=204)
        answer["Allow"] = allow_header(found.endpoint)
        return answer

    def http_method_not_allowed(  # type: ignore[override]  # the path names it
        self, request: Request, webhook_id: str
    ) -> HttpResponseBase:
        return self.receive(self._find(request, webhook_id))

    def receive(self, request: WebhookRequest) -> HttpResponse:
        return receive_alone(request)

    def find_endpoint(self, webhook_id: str) -> WebhookEndpoint | None:
        return find_endpoints([webhook_id]).get(webhook_id)

    def _find(self, request: Request, webhook_id: str) -> WebhookRequest:
        """Return the request to an active endpoint; raise WebhookNotFound."""
        http = request._request
        endpoint = self.find_endpoint(without_slash(webhook_id))
        if endpoint is None:
            count_forgery(parse_address(http.META.get("REMOTE_ADDR", "")))
            raise WebhookNotFound
        self.found = _open(http, endpoint)
        return self.found

    def finalize_response(  # type: ignore[override]  # no DRF response
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        answer = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if self.found is not None:
            allow_origin(answer, self.found)
        return answer

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return none: each endpoint has its own allowed methods."""
        return {}

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]  # no DRF response
        """Answer refusals in the receiver's format, other errors as the API does."""
        if isinstance(exc, TickhookError):
            return answer_refusal(exc, self.request._request)
        context: dict[str, Any] = self.get_exception_handler_context()
        response = problem_response(exc, context)
        response.data |= {"success": False, "error": response.data["detail"]}
        response.exception = True
        return response


class WebhookMiddleware:
    """Calls the receiver before the middleware that only pages for people need.

    Sessions, accounts and CSRF take a quarter of the time of a delivery. The URL
    configuration has the same view, so that its path can be resolved and reversed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._view = WebhookView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(PREFIX) or path == PREFIX:
            return self._get_response(request)
        response = self._view(request, webhook_id=path.removeprefix(PREFIX))
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        return response


def without_slash(webhook_id: str) -> str:
    """Some people and senders append a slash; no id or path ends with one."""
    return webhook_id.removesuffix("/")


def _open(http: HttpRequest, endpoint: WebhookEndpoint) -> WebhookRequest:
    # Senders sign the URL as they write it: use it as it was sent, if the web server
    # provides it.
    target: str = http.META.get("REQUEST_URI") or http.META.get("RAW_URI", "")
    if not target.startswith("/"):
        target = http.get_full_path()
    return open_request(
        http,
        endpoint=endpoint,
        definition=definition_at(endpoint.type, endpoint.type_revision),
        url=settings.PUBLIC_URL + target,
    )
