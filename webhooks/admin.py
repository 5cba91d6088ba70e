from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from common.admin.base import HistoryAdmin, HouseAdmin
from common.admin.display import (
    NOTHING,
    badge,
    copyable,
    json_block,
    list_link,
    page_link,
    text_block,
)
from webhooks.forms import EndpointForm
from webhooks.models import Rejection, WebhookEndpoint, WebhookType
from webhooks.services.endpoints import live_secrets, webhook_url
from webhooks.services.rejections import count_rejections
from webhooks.services.samples import sample_request


def curl_of(endpoint: WebhookEndpoint) -> SafeString:
    """Show a line that tries an endpoint, with a button that copies it."""
    sample = sample_request(endpoint)
    note = ""
    if sample.valid_seconds is not None:
        minutes = sample.valid_seconds // 60
        note = f"Good for {minutes} minutes; then load this page again."
    return copyable(sample.curl, note=note)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(HouseAdmin[WebhookEndpoint]):
    """Endpoints are made with their first trigger and closed with their last one."""

    form = EndpointForm
    actions = None
    list_display = (
        "webhook_id", "status", "type", "subject", "triggers", "events", "rejections",
        "created_at",
    )  # fmt: skip
    list_filter = ("is_active", "type")
    search_fields = ("webhook_id", "type", "subject")
    readonly_fields = (
        "id", "status", "url", "signed", "curl", "subject", "triggers", "events",
        "rejections", "refused", "created_at", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("url", "status", "triggers", "events")}),
        ("What was refused", {"fields": ("refused", "rejections")}),
        ("The sender", {"fields": ("type", "signed", "secret", "curl")}),
        ("What is let in", {"fields": ("allowed_methods", "validation_rules")}),
        ("Record", {"fields": ("id", "subject", "created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("secrets", "config")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: WebhookEndpoint,
        form: forms.ModelForm[WebhookEndpoint],
        change: bool,
    ) -> None:
        """Do nothing: the form's service has stored it."""

    @admin.display(description="Status", ordering="is_active")
    def status(self, endpoint: WebhookEndpoint) -> SafeString:
        return badge("active" if endpoint.is_active else "disabled")

    @admin.display(description="URL")
    def url(self, endpoint: WebhookEndpoint) -> SafeString:
        return copyable(webhook_url(endpoint))

    @admin.display(description="Has a secret", boolean=True)
    def signed(self, endpoint: WebhookEndpoint) -> bool:
        return bool(live_secrets(endpoint))

    @admin.display(description="Try it")
    def curl(self, endpoint: WebhookEndpoint) -> SafeString:
        return curl_of(endpoint)

    @admin.display(description="Triggers")
    def triggers(self, endpoint: WebhookEndpoint) -> SafeString:
        model = "triggers_trigger"
        return list_link(model, "Triggers", endpoint__id__exact=endpoint.pk)

    @admin.display(description="Events")
    def events(self, endpoint: WebhookEndpoint) -> SafeString:
        return list_link("events_event", "Events", endpoint_id__exact=endpoint.pk)

    @admin.display(description="Requests")
    def refused(self, endpoint: WebhookEndpoint) -> SafeString:
        """Show how many were refused for each cause, in the last day and in all."""
        lines = [
            f"{row.cause}: {row.last_day:,} in the last 24 hours, {row.in_all:,} in all"
            for row in count_rejections(endpoint.pk)
        ]
        return text_block("\n".join(lines)) if lines else NOTHING

    @admin.display(description="Samples")
    def rejections(self, endpoint: WebhookEndpoint) -> SafeString:
        model = "webhooks_rejection"
        return list_link(model, "Rejections", endpoint__id__exact=endpoint.pk)


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
