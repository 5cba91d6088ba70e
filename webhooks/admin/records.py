from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from common.admin.base import HistoryAdmin
from common.admin.display import badge, json_block, page_link, text_block
from webhooks.models import PendingFetch, Rejection


@admin.register(Rejection)
class RejectionAdmin(HistoryAdmin[Rejection]):
    list_display = (
        "received_at", "cause", "status", "endpoint_link", "method", "remote_address",
        "delivery_id",
    )  # fmt: skip
    list_filter = ("cause", ("endpoint", AutocompleteSelectFilter))
    search_fields = ("cause", "delivery_id__exact")
    list_select_related = ("endpoint",)
    fields = (
        "id", "received_at", "cause", "status", "detail", "endpoint_link", "method",
        "remote_address", "delivery_id", "headers_json", "body_text",
    )  # fmt: skip
    readonly_fields = ("endpoint_link", "headers_json", "body_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rejection]:
        heavy = ("headers", "body", "endpoint__secrets", "endpoint__config")
        return super().get_queryset(request).defer(*heavy)

    @admin.display(description="Endpoint")
    def endpoint_link(self, rejection: Rejection) -> SafeString:
        model = "webhooks_webhookendpoint"
        return page_link(model, rejection.endpoint_id, rejection.endpoint)

    @admin.display(description="Headers")
    def headers_json(self, rejection: Rejection) -> SafeString:
        return json_block(rejection.headers)

    @admin.display(description="Body")
    def body_text(self, rejection: Rejection) -> SafeString:
        return text_block(bytes(rejection.body).decode("utf-8", "replace"))


@admin.register(PendingFetch)
class PendingFetchAdmin(HistoryAdmin[PendingFetch]):
    """Requests that workers make to senders.

    Only the host is shown, because the path of a URL may contain a token.
    """

    id_search_fields = ("pk", "endpoint_id")
    list_display = (
        "created_at", "kind", "state", "host", "endpoint", "attempts", "error",
    )  # fmt: skip
    list_filter = ("kind", "status")
    search_fields = ("error",)
    fields = (
        "id", "kind", "state", "host", "endpoint", "attempts", "next_attempt_at",
        "error", "created_at",
    )  # fmt: skip
    readonly_fields = ("state", "host", "endpoint")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingFetch]:
        return super().get_queryset(request).defer("result")

    @admin.display(description="Status", ordering="status")
    def state(self, fetch: PendingFetch) -> SafeString:
        return badge(fetch.status)

    @admin.display(description="Host")
    def host(self, fetch: PendingFetch) -> str:
        return urlsplit(fetch.url).hostname or ""

    @admin.display(description="Endpoint")
    def endpoint(self, fetch: PendingFetch) -> SafeString:
        model = "webhooks_webhookendpoint"
        return page_link(model, fetch.endpoint_id)
