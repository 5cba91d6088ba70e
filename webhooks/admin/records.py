from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from access.admin.base import HistoryAdmin, VisibleRowsFilter
from common.admin.columns import Words, WordsFilter
from common.admin.display import NOTHING, json_block, page_link, text_block
from webhooks.admin.deliveries import CauseFilter
from webhooks.models import PendingFetch, Rejection
from webhooks.wording import CAUSES, FETCH_KINDS, FETCH_STATUSES


@admin.register(Rejection)
class RejectionAdmin(HistoryAdmin[Rejection]):
    words: ClassVar[Mapping[str, Words]] = {"cause": CAUSES}
    payload_fields = ("headers_json", "body_text")
    time_column = "received_at"
    list_display = (
        "received_at", "cause", "status", "endpoint_link", "method", "remote_address",
    )  # fmt: skip
    list_filter = (CauseFilter, ("endpoint", VisibleRowsFilter))
    search_fields = ("cause", "delivery_id__exact")
    list_select_related = ("endpoint",)
    fields = (
        "received_at", "cause", "status", "detail", "endpoint_link", "method",
        "remote_address", "headers_json", "body_text", "id", "delivery_id",
    )  # fmt: skip
    readonly_fields = ("endpoint_link", "headers_json", "body_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rejection]:
        heavy = ("headers", "body", "endpoint__secrets", "endpoint__config")
        return super().get_queryset(request).defer(*heavy)

    @admin.display(description="Webhook")
    def endpoint_link(self, rejection: Rejection) -> SafeString:
        model = "webhooks_webhookendpoint"
        return page_link(model, rejection.endpoint_id, rejection.endpoint.type)

    @admin.display(description="Headers")
    def headers_json(self, rejection: Rejection) -> SafeString:
        return json_block(rejection.headers)

    @admin.display(description="Body")
    def body_text(self, rejection: Rejection) -> SafeString:
        body = bytes(rejection.body).decode("utf-8", "replace")
        return text_block(body) if body else NOTHING


@admin.register(PendingFetch)
class PendingFetchAdmin(HistoryAdmin[PendingFetch]):
    """Requests that workers make to senders.

    Only the host is shown, because the path of a URL may contain a token.
    """

    words: ClassVar[Mapping[str, Words]] = {
        "kind": FETCH_KINDS,
        "status": FETCH_STATUSES,
    }
    id_search_fields = ("pk", "endpoint_id")
    time_column = "created_at"
    list_display = (
        "created_at", "kind", "status", "host", "endpoint", "attempts", "error",
    )  # fmt: skip
    list_filter = (("kind", WordsFilter), ("status", WordsFilter))
    search_fields = ("error",)
    fields = (
        "kind", "status", "host", "endpoint", "attempts", "next_attempt_at", "error",
        "created_at", "id",
    )  # fmt: skip
    readonly_fields = ("host", "endpoint")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingFetch]:
        return super().get_queryset(request).defer("result")

    @admin.display(description="Host")
    def host(self, fetch: PendingFetch) -> str:
        return urlsplit(fetch.url).hostname or ""

    @admin.display(description="Webhook")
    def endpoint(self, fetch: PendingFetch) -> SafeString:
        model = "webhooks_webhookendpoint"
        return page_link(model, fetch.endpoint_id, "its webhook")
