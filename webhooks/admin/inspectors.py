"""Pages beside deliveries: test events, and what arrives at test-mode URLs."""

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
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from common.admin.display import json_block, page_link, text_block
from common.errors import TickhookError
from webhooks.endpoints.sending import Tested, send_test_event
from webhooks.inspectors.store import find_inspector, open_inspector, shown_requests


class PageOwner(Protocol):
    """The admin of deliveries, as these pages know it."""

    admin_site: AdminSite

    def has_view_permission(self, request: HttpRequest) -> bool: ...

    def has_redeliver_permission(self, request: HttpRequest) -> bool: ...

    def is_open_to(
        self, request: HttpRequest, endpoint_ids: Set[UUID | None]
    ) -> bool: ...


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
        """Send a test event and say on the endpoint's page what the door answered."""
        owner = self._owner
        is_allowed = owner.has_redeliver_permission(request)
        if not (is_allowed and owner.is_open_to(request, {endpoint_id})):
            raise PermissionDenied
        try:
            tested = send_test_event(
                endpoint_id=endpoint_id,
                event=request.POST.get("event", ""),
                remote_address=request.META.get("REMOTE_ADDR", ""),
            )
        except TickhookError as error:
            messages.error(request, error.detail)
        else:
            _tell(request, tested)
        return _page_of(endpoint_id)

    def open(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Make a test-mode URL for an endpoint and show what arrives there."""
        if not self._owner.has_redeliver_permission(request):
            raise PermissionDenied
        try:
            inspector = open_inspector(endpoint_id=endpoint_id)
        except TickhookError as error:
            messages.error(request, error.detail)
            return _page_of(endpoint_id)
        return redirect("admin:webhooks_delivery_inspector", token=inspector.token)

    def show(self, request: HttpRequest, token: str) -> HttpResponse:
        if not self._owner.has_view_permission(request):
            raise PermissionDenied
        try:
            inspector, came = find_inspector(token), shown_requests(token)
        except TickhookError as error:
            messages.error(request, error.detail)
            return redirect("admin:webhooks_delivery_changelist")
        context = {
            **self._owner.admin_site.each_context(request),
            "title": "What arrives",
            "inspector": inspector,
            "requests": [_laid_out(shown) for shown in came],
        }
        return TemplateResponse(request, "admin/tickhook/inspector.html", context)


def _page_of(endpoint_id: UUID) -> HttpResponseRedirect:
    page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint_id])
    return HttpResponseRedirect(page)


def _tell(request: HttpRequest, tested: Tested) -> None:
    if tested.outcome == "accepted":
        event = page_link("webhooks_delivery", tested.event_id, "its delivery")
        text = format_html("The test event was accepted: {}.", event)
        messages.success(request, text)
        return
    messages.error(
        request,
        f"The test event was {tested.outcome} with {tested.status} ({tested.cause}): "
        f"{tested.detail} {tested.how_to_fix}",
    )


def _laid_out(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        **shown,
        "at": datetime.fromisoformat(shown["received_at"]),
        "headers_block": json_block(shown["headers"]),
        "query_block": json_block(shown["query"]),
        "body_block": _body_block(shown),
    }


def _body_block(shown: dict[str, Any]) -> str:
    raw = base64.b64decode(shown.get("body_base64", ""))
    text = shown["body"] or raw.decode("utf-8", "replace")
    try:
        return json_block(json.loads(text))
    except (ValueError, RecursionError):
        return text_block(text)
