"""Receives the requests that wait at the same time together.

One SELECT reads their endpoints and one INSERT records their events. It begins after
the last of them has arrived, so a changed or revoked secret holds for each of them. The
answers are sent after the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.log import log_response
from rest_framework.request import Request

from common.database.errors import is_unavailable
from common.middleware import ForwardedHeaders
from events.services.record import NewEvent, record_events
from webhooks.models import WebhookEndpoint
from webhooks.receiver.request import WebhookRequest, find_endpoints
from webhooks.receiver.view import PREFIX, WebhookView, receive, without_slash
from webhooks.types import has_validation_code

# Requests with these headers are not for a batch: some wait for executions, and a small
# compressed body can become a large one.
ALONE_WITH = frozenset({b"prefer", b"content-encoding"})

Endpoints = Mapping[str, WebhookEndpoint]

# What the view of a request returns that is not answered yet.
_LATER = HttpResponse()


def may_take_long(request: WebhookRequest) -> bool:
    """Return whether others should not wait for a request.

    Its type has uploaded code, a schema, confirmations or arrays of events.
    """
    definition = request.definition
    return (
        has_validation_code(definition)
        or definition.confirmation is not None
        or definition.batch is not None
        or definition.json_schema is not None
        or "json_schema" in request.endpoint.validation_rules
    )


class BatchReceiver:
    """Receives the requests of a batch, each with its own view."""

    def __init__(self) -> None:
        self._forwarded = ForwardedHeaders()

    def __call__(self, environs: Sequence[dict[str, Any]]) -> list[HttpResponse | None]:
        """Return the answers; None for a request that a thread should answer alone."""
        close_old_connections()
        for environ in environs:
            self._forwarded.resolve(environ)
        views = [BatchedView(WSGIRequest(environ)) for environ in environs]
        endpoints: Endpoints | Error
        try:
            endpoints = find_endpoints({view.webhook_id for view in views})
        except Error as error:
            endpoints = error  # each request is answered with it
        for view in views:
            view.begin(endpoints)
        _record([view for view in views if view.event is not None])
        return [view.finish() for view in views]


class BatchedView(WebhookView):
    """The view of one request of a batch. It answers in two steps.

    `begin` checks the request and sets `event` if it is an ordinary delivery. `finish`
    returns the answer, after `recorded` was set to the new ids or to an error.
    """

    def __init__(self, http: HttpRequest) -> None:
        super().__init__()
        self.webhook_id = without_slash(http.path_info.removeprefix(PREFIX))
        self.event: NewEvent | None = None
        self.recorded: set[UUID] | Exception = set()
        self._http = http
        self._endpoints: Endpoints | Error = {}
        self._needs_thread = False
        self._answer = _LATER

    def begin(self, endpoints: Endpoints | Error) -> None:
        self._endpoints = endpoints
        self.setup(self._http, webhook_id=self.webhook_id)
        try:
            answer = self.dispatch(self._http, webhook_id=self.webhook_id)
        except Exception as error:  # noqa: BLE001 - as Django around each view
            answer = response_for_exception(self._http, error)
        self._answer = cast("HttpResponse", answer)  # the receiver streams nothing

    def find_endpoint(self, webhook_id: str) -> WebhookEndpoint | None:
        if isinstance(self._endpoints, Error):
            raise self._endpoints
        return self._endpoints.get(webhook_id)

    def receive(self, request: WebhookRequest) -> HttpResponse:
        self._needs_thread = may_take_long(request)
        if self._needs_thread:
            return _LATER
        self._steps = receive(request)
        try:
            self.event = next(self._steps)
        except StopIteration as end:
            answer: HttpResponse = end.value
            return answer
        return _LATER

    def finalize_response(  # type: ignore[override]  # as in WebhookView
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if response is _LATER:
            return response
        return super().finalize_response(request, response, *args, **kwargs)

    def finish(self) -> HttpResponse | None:
        """Return the answer; None if a thread should answer this request alone."""
        if self._needs_thread:
            return None
        if self.event is not None:
            try:
                answer = self._go_on()
            except Exception as error:  # noqa: BLE001 - as in APIView.dispatch
                answer = self.handle_exception(error)
            answer = self.finalize_response(self.request, answer)
            self._answer = cast("HttpResponse", answer)
        if isinstance(self._answer, SimpleTemplateResponse):
            self._answer.render()
        if self._answer.status_code >= 400:
            log_response(
                "%s: %s",
                self._answer.reason_phrase,
                self._http.path,
                response=self._answer,
                request=self._http,
            )
        return self._answer

    def _go_on(self) -> HttpResponseBase:
        """Return the answer after the event was recorded; raise the error if not."""
        try:
            if isinstance(self.recorded, Exception):
                self._steps.throw(self.recorded)
            else:
                self._steps.send(self.recorded)
        except StopIteration as end:
            answer: HttpResponse = end.value
            return answer
        raise AssertionError("A request has one event")


def _record(views: Sequence[BatchedView]) -> None:
    """Record the events of the requests; tell each view which are new, or the error."""
    try:
        events = [view.event for view in views if view.event is not None]
        recorded: set[UUID] | Exception = record_events(events)
    except Exception as error:  # noqa: BLE001 - each request is answered with it
        # If the connection broke, the events may be stored. Otherwise none is, because
        # of one of them, so each is recorded by itself.
        is_certain = not (isinstance(error, Error) and is_unavailable(error))
        if is_certain and len(views) > 1:
            for view in views:
                _record([view])
            return
        recorded = error
    for view in views:
        view.recorded = recorded
