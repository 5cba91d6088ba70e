"""Admin pages that send test events and show requests to test-mode URLs."""

from __future__ import annotations

import base64
import json
from collections.abc import Set
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from access.callers import caller_of
from access.policy import log_payload_read, may
from common.admin.display import json_block, page_link, text_block, time_tag
from common.errors import TickhookError
from webhooks.access import DELIVERY_PAYLOADS, sees_endpoint
from webhooks.endpoints.sending import SentTestEvent, send_test_event
from webhooks.inspectors.store import find_inspector, list_requests, open_inspector
from webhooks.wording import cause_text


class PageOwner(Protocol):
    """The parts of the admin of deliveries that these pages use."""

    admin_site: AdminSite

    def has_view_permission(self, request: HttpRequest) -> bool: ...

    def has_redeliver_permission(self, request: HttpRequest) -> bool: ...

    def closed_endpoints(
        self, request: HttpRequest, endpoint_ids: Set[UUID | None]
    ) -> Set[UUID | None]: ...


def inspector_urls(owner: Any) -> list[URLPattern]:
    wrap, pages = owner.admin_site.admin_view, Pages(owner)
    return [
        path(
            "test/<uuid:endpoint_id>",
            wrap(require_POST(pages.test)),
            name="webhooks_delivery_test",
        ),
        path(
            "inspect/<uuid:endpoint_id>",
            wrap(require_POST(pages.open)),
            name="webhooks_delivery_inspect",
        ),
        path(
            "inspectors/<str:token>",
            wrap(require_GET(pages.show)),
            name="webhooks_delivery_inspector",
        ),
    ]


class Pages:
    def __init__(self, owner: PageOwner) -> None:
        self._owner = owner

    def test(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Send a test event and show the answer on the endpoint's page."""
        owner = self._owner
        is_allowed = owner.has_redeliver_permission(request)
        _require_visible(request, endpoint_id)
        if not is_allowed or owner.closed_endpoints(request, {endpoint_id}):
            raise PermissionDenied
        try:
            sent = send_test_event(
                endpoint_id=endpoint_id,
                event=request.POST.get("event", ""),
                remote_address=request.META.get("REMOTE_ADDR", ""),
            )
        except TickhookError as error:
            messages.error(request, error.detail)
        else:
            _show_answer(request, sent)
        return _page_of(endpoint_id)

    def open(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Open a test-mode URL for an endpoint and show its page."""
        _require_visible(request, endpoint_id)
        if not self._owner.has_redeliver_permission(request):
            raise PermissionDenied
        try:
            inspector = open_inspector(endpoint_id=endpoint_id)
        except TickhookError as error:
            messages.error(request, error.detail)
            return _page_of(endpoint_id)
        return redirect("admin:webhooks_delivery_inspector", token=inspector.token)

    def show(self, request: HttpRequest, token: str) -> HttpResponse:
        if not may(caller_of(request), DELIVERY_PAYLOADS):
            raise PermissionDenied
        try:
            inspector, requests = find_inspector(token), list_requests(token)
        except TickhookError as error:
            messages.error(request, error.detail)
            return redirect("admin:webhooks_delivery_changelist")
        if inspector.endpoint_id:
            _require_visible(request, inspector.endpoint_id)
        kind = "inspector of endpoint"
        log_payload_read(caller_of(request), kind, inspector.endpoint_id)
        context = {
            **self._owner.admin_site.each_context(request),
            "title": "Incoming requests",
            "model_admin": self._owner,
            "inspector": inspector,
            "requests": [_formatted(one) for one in requests],
        }
        return TemplateResponse(request, "admin/tickhook/inspector.html", context)


def _require_visible(request: HttpRequest, endpoint_id: UUID) -> None:
    if not sees_endpoint(caller_of(request), endpoint_id):
        raise Http404


def _page_of(endpoint_id: UUID) -> HttpResponseRedirect:
    page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint_id])
    return HttpResponseRedirect(page)


def _show_answer(request: HttpRequest, sent: SentTestEvent) -> None:
    if sent.outcome == "accepted":
        event = page_link("webhooks_delivery", sent.event_id, "its delivery")
        text = format_html("The test event was accepted: {}.", event)
        messages.success(request, text)
        return
    cause = cause_text(sent.cause or sent.outcome)
    messages.error(
        request,
        f"The test event was answered with {sent.status}: {cause}. "
        f"{sent.detail} {sent.how_to_fix}",
    )


def _formatted(described: dict[str, Any]) -> dict[str, Any]:
    raw = base64.b64decode(described.get("body_base64", ""))
    text = described["body"] or raw.decode("utf-8", "replace")
    try:
        body = json_block(json.loads(text))
    except (ValueError, RecursionError):
        body = text_block(text)
    return {
        **described,
        "at": time_tag(datetime.fromisoformat(described["received_at"]), "clock"),
        "cause": cause_text((described["would_be"] or {}).get("cause") or ""),
        "headers_block": json_block(described["headers"]),
        "query_block": json_block(described["query"]),
        "body_block": body,
    }
