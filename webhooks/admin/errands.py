from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from common.admin.base import HistoryAdmin
from common.admin.display import badge, page_link
from webhooks.models import Errand


@admin.register(Errand)
class ErrandAdmin(HistoryAdmin[Errand]):
    """What workers ask of senders; of a URL the host, as a path may hold a token."""

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Errand]:
        return super().get_queryset(request).defer("result")

    @admin.display(description="Status", ordering="status")
    def state(self, errand: Errand) -> SafeString:
        return badge(errand.status)

    @admin.display(description="Host")
    def host(self, errand: Errand) -> str:
        return urlsplit(errand.url).hostname or ""

    @admin.display(description="Endpoint")
    def endpoint(self, errand: Errand) -> SafeString:
        model = "webhooks_webhookendpoint"
        return page_link(model, errand.endpoint_id)
