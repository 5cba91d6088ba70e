from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from common.admin.base import HistoryAdmin
from common.admin.display import json_block
from webhooks.models import WebhookType


@admin.register(WebhookType)
class WebhookTypeAdmin(HistoryAdmin[WebhookType]):
    id_search_fields = ()
    list_display = ("slug", "version", "updated_at")
    search_fields = ("slug",)
    readonly_fields = ("definition_json",)
    fields = ("slug", "version", "definition_json", "created_at", "updated_at")

    @admin.display(description="Definition")
    def definition_json(self, webhook_type: WebhookType) -> SafeString:
        return json_block(webhook_type.definition)
