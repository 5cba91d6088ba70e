"""Buttons of an endpoint's page that give it another secret or another URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from common.admin.base import BaseAdmin
from common.admin.display import NOTHING, badge, copyable, list_link, text_block
from common.errors import TickhookError
from senders.signatures import OnlyTheSenderSigns
from webhooks.endpoints.rotation import (
    KEEP_SECONDS,
    MAX_KEEP_SECONDS,
    RenewedEndpoint,
    renew_url,
    revoke_secret,
    rotate_secret,
)
from webhooks.endpoints.sample_requests import sample_request
from webhooks.endpoints.secrets import SecretState, Which, live_entries, states_of
from webhooks.endpoints.urls import webhook_url
from webhooks.forms import EndpointForm, SecretField
from webhooks.models import WebhookEndpoint
from webhooks.rejections.recording import count_rejections

HOUR_SECONDS = 3600

if TYPE_CHECKING:
    EndpointAdmin = ModelAdmin[WebhookEndpoint]
    DialogForm = forms.Form
else:
    EndpointAdmin = object
    DialogForm = BaseDialogForm


class RotationForm(DialogForm):
    secret = SecretField(help_text="Empty: a new one is made, and shown once.")
    keep_hours = forms.IntegerField(
        label="Hours for which the present one stays valid",
        initial=KEEP_SECONDS // HOUR_SECONDS,
        min_value=0,
        max_value=MAX_KEEP_SECONDS // HOUR_SECONDS,
        help_text="0 ends it at once.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


class RevocationForm(DialogForm):
    which = forms.ChoiceField(
        label="Which",
        choices=[(which.value, which.value) for which in reversed(Which)],
        widget=UnfoldAdminSelectWidget,
    )


class NewUrlForm(DialogForm):
    rotate_secret = forms.BooleanField(
        label="Also make a new secret",
        required=False,
        help_text="All present ones end at once.",
        widget=UnfoldBooleanWidget,
    )


def _dialog(form_class: type[forms.Form], title: str, text: str) -> dict[str, object]:
    return {
        "title": title,
        "description": f"{text} This concerns every trigger that it serves.",
        "form_class": form_class,
        "form_submit_text": title,
    }


class RenewalActions(EndpointAdmin):
    """Part of the endpoints' admin; each act asks first and says what it did."""

    actions_detail = ("rotate", "revoke", "renew")

    def has_renew_permission(self, request: HttpRequest, object_id: str) -> bool:
        endpoint = self.get_object(request, object_id)
        return endpoint is not None and self.has_change_permission(request, endpoint)

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="Rotate secret",
        permissions=["renew"],
        icon="key",
        dialog=_dialog(
            RotationForm,
            "Rotate secret",
            "The endpoint gets another secret; the present one stays for a while.",
        ),
    )
    def rotate(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        given = form.cleaned_data
        return self._renew(
            request,
            object_id,
            lambda endpoint: rotate_secret(
                endpoint_id=endpoint.pk,
                secret=given["secret"] or None,
                keep_previous_seconds=given["keep_hours"] * HOUR_SECONDS,
            ),
            done="The endpoint has another secret.",
        )

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="Revoke secret",
        permissions=["renew"],
        icon="key_off",
        dialog=_dialog(
            RevocationForm,
            "Revoke secret",
            "Requests signed with it are refused at once; the other one stays.",
        ),
    )
    def revoke(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        which = Which(form.cleaned_data["which"])
        return self._renew(
            request,
            object_id,
            lambda endpoint: revoke_secret(endpoint_id=endpoint.pk, which=which),
            done=f"The {which} secret is revoked.",
        )

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="New URL",
        permissions=["renew"],
        icon="link",
        dialog=_dialog(
            NewUrlForm, "New URL", "The present URL answers 404 from then on."
        ),
    )
    def renew(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        is_rotated = form.cleaned_data["rotate_secret"]
        return self._renew(
            request,
            object_id,
            lambda endpoint: renew_url(
                endpoint_id=endpoint.pk, rotate_secret=is_rotated
            ),
            done="The endpoint has another URL.",
        )

    def _renew(
        self,
        request: HttpRequest,
        object_id: str,
        act: Callable[[WebhookEndpoint], RenewedEndpoint],
        *,
        done: str,
    ) -> HttpResponse:
        """Do it, say so, and go back to the endpoint's page."""
        endpoint: Any = self.get_object(request, object_id)
        try:
            renewed = act(endpoint)
        except TickhookError as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, endpoint, done)
            messages.success(request, done)
            _show_once(request, renewed.secret)
        page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])
        return HttpResponse(headers={"HX-Redirect": page})


def _show_once(request: HttpRequest, secret: str | None) -> None:
    if secret is not None:
        text = "Secret, shown this once: {}"
        messages.warning(request, format_html(text, copyable(secret)))


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
class WebhookEndpointAdmin(RenewalActions, BaseAdmin[WebhookEndpoint]):
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
