from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html_join
from django.utils.safestring import SafeString

from common.admin.base import HouseAdmin
from common.admin.display import NOTHING, badge, copyable, list_link, text_block
from senders.signatures import OnlyTheSenderSigns
from webhooks.admin.renewal import RenewalActions
from webhooks.endpoints.samples import sample_request
from webhooks.endpoints.secrets import SecretState, live_entries, states_of
from webhooks.endpoints.urls import webhook_url
from webhooks.forms import EndpointForm
from webhooks.models import WebhookEndpoint
from webhooks.rejections.counting import count_rejections


def curl_of(endpoint: WebhookEndpoint) -> SafeString:
    """Show a line that tries an endpoint, with a button that copies it."""
    try:
        sample = sample_request(endpoint)
    except OnlyTheSenderSigns as error:
        return conditional_escape(error.detail)
    note = ""
    if sample.valid_seconds is not None:
        minutes = sample.valid_seconds // 60
        note = f"Good for {minutes} minutes; then load this page again."
    return copyable(sample.curl, note=note)


def _tell(state: SecretState) -> tuple[str]:
    dates = {"since": state.created_at, "until": state.valid_until}
    told = [
        f"{word} {date_format(at, 'DATETIME_FORMAT')}"
        for word, at in dates.items()
        if at is not None
    ]
    return (", ".join([state.which, *told]),)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RenewalActions, HouseAdmin[WebhookEndpoint]):
    """Endpoints are made with their first trigger and closed with their last one."""

    form = EndpointForm
    actions = None
    change_form_outer_before_template = "admin/tickhook/endpoint_actions.html"
    list_display = (
        "webhook_id", "status", "type", "subject", "triggers", "events", "rejections",
        "created_at",
    )  # fmt: skip
    list_filter = ("is_active", "type")
    search_fields = ("webhook_id", "type", "subject")
    readonly_fields = (
        "id", "status", "url", "secrets_told", "curl", "subject", "triggers", "events",
        "rejections", "refused", "created_at", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("url", "status", "triggers", "events")}),
        ("What was refused", {"fields": ("refused", "rejections")}),
        ("The sender", {"fields": ("type", "secrets_told", "secret", "curl")}),
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

    @admin.display(description="Valid secrets")
    def secrets_told(self, endpoint: WebhookEndpoint) -> SafeString:
        """Tell of each secret since when and until when it is valid, nothing more."""
        told = [_tell(state) for state in states_of(live_entries(endpoint))]
        return format_html_join(SafeString("<br>"), "{}", told) or SafeString("none")

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
