from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from access.admin.base import BaseAdmin
from common import wording
from common.admin.display import (
    NOTHING,
    badge,
    copyable,
    list_link,
    text_block,
    time_tag,
)
from common.errors import TickhookError
from senders.definitions.shipped import sample_events
from senders.signatures import OnlyTheSenderSigns
from webhooks.endpoints.rotation import (
    KEEP_SECONDS,
    MAX_KEEP_SECONDS,
    RotatedEndpoint,
    replace_url,
    revoke_secret,
    rotate_secret,
)
from webhooks.endpoints.sample_requests import sample_command
from webhooks.endpoints.secrets import SecretState, Which, live_entries, states_of
from webhooks.endpoints.urls import webhook_url
from webhooks.forms import EndpointForm, SecretField
from webhooks.models import WebhookEndpoint
from webhooks.rejections.recording import count_rejections
from webhooks.types.definitions import definitions_of
from webhooks.wording import SECRETS, cause_text

HOUR_SECONDS = 3600

if TYPE_CHECKING:
    _DialogForm = forms.Form
else:
    _DialogForm = BaseDialogForm


class DialogForm(_DialogForm):
    """A form in a dialog, whose ids differ from those of the form on the page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "dialog_%s"})


class RotationForm(DialogForm):
    secret = SecretField(
        help_text="Leave it empty to generate a secret, which is shown once."
    )
    keep_hours = forms.IntegerField(
        label="Hours for which the current secret stays valid",
        initial=KEEP_SECONDS // HOUR_SECONDS,
        min_value=0,
        max_value=MAX_KEEP_SECONDS // HOUR_SECONDS,
        help_text="0 ends it at once.",
        widget=UnfoldAdminIntegerFieldWidget,
    )


class RevocationForm(DialogForm):
    which = forms.ChoiceField(
        label="Secret to revoke",
        choices=list(SECRETS.items())[::-1],
        widget=UnfoldAdminSelectWidget,
    )


class NewUrlForm(DialogForm):
    rotate_secret = forms.BooleanField(
        label="Also generate a new secret",
        required=False,
        help_text="All current secrets end at once.",
        widget=UnfoldBooleanWidget,
    )


def curl_of(endpoint: WebhookEndpoint) -> SafeString:
    """Show a curl command for an endpoint, with a button that copies it."""
    try:
        sample = sample_command(endpoint)
    except OnlyTheSenderSigns as error:
        return conditional_escape(error.detail)
    note = ""
    if sample.valid_seconds is not None:
        minutes = sample.valid_seconds // 60
        note = f"Valid for {minutes} minutes; then reload this page."
    return copyable(sample.curl, note=note)


def _dialog(form_class: type[forms.Form], title: str, text: str) -> dict[str, object]:
    return {
        "title": title,
        "description": f"{text} This concerns every trigger that it serves.",
        "form_class": form_class,
        "form_submit_text": title,
    }


def _dates(state: SecretState) -> SafeString:
    dates = {"since": state.created_at, "until": state.valid_until}
    shown = [(w, time_tag(at, "full")) for w, at in dates.items() if at is not None]
    return format_html(
        "{}{}", SECRETS[state.which], format_html_join("", ", {} {}", shown)
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(BaseAdmin[WebhookEndpoint]):
    """Endpoints are created with their first trigger and closed with their last one."""

    form = EndpointForm
    labels: ClassVar[Mapping[str, str]] = {"is_active": "On", "type": "Sender"}
    empty_text = "No webhooks yet. A webhook trigger gets its URL when it is created."
    actions = None
    actions_detail = ("rotate", "revoke", "new_url")
    change_form_outer_before_template = "admin/tickhook/endpoint_actions.html"
    list_display = (
        "type", "status", "subject", "triggers", "events", "rejections", "created_at",
    )  # fmt: skip
    list_filter = ("is_active", "type")
    search_fields = ("webhook_id", "type", "subject")
    readonly_fields = (
        "id", "status", "url", "valid_secrets", "curl", "subject", "triggers", "events",
        "rejections", "rejection_counts", "created_at", "updated_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("url", "status", "triggers", "events")}),
        ("Rejected requests", {"fields": ("rejection_counts", "rejections")}),
        ("Sender", {"fields": ("type", "valid_secrets", "secret", "curl")}),
        ("Validation", {"fields": ("allowed_methods", "validation_rules")}),
        ("Facts", {"fields": ("subject", "created_at", "updated_at", "id")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).defer("secrets", "config")

    def title_of(self, row: WebhookEndpoint) -> str:
        definition = definitions_of([row.type]).get(row.type)
        return definition.name if definition else row.type

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: WebhookEndpoint | None = None
    ) -> bool:
        return False

    def has_change_secret_permission(
        self, request: HttpRequest, object_id: str
    ) -> bool:
        endpoint = self.get_object(request, object_id)
        return endpoint is not None and self.has_change_permission(request, endpoint)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: WebhookEndpoint | None = None,
    ) -> HttpResponse:
        context["sample_events"] = sample_events(obj.type) if obj else []
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: WebhookEndpoint,
        form: forms.ModelForm[WebhookEndpoint],
        change: bool,
    ) -> None:
        """Do nothing: the form's service has stored the endpoint."""

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="Rotate secret",
        permissions=["change_secret"],
        icon="key",
        dialog=_dialog(
            RotationForm,
            "Rotate secret",
            "The endpoint gets a new secret; the current one stays valid for a while.",
        ),
    )
    def rotate(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        fields = form.cleaned_data
        return self._change(
            request,
            object_id,
            lambda endpoint_id: rotate_secret(
                endpoint_id=endpoint_id,
                secret=fields["secret"] or None,
                keep_previous_seconds=fields["keep_hours"] * HOUR_SECONDS,
            ),
            done="The endpoint has a new secret.",
        )

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="Revoke secret",
        permissions=["change_secret"],
        icon="key_off",
        dialog=_dialog(
            RevocationForm,
            "Revoke secret",
            "Requests signed with it are rejected at once; the other secret stays.",
        ),
    )
    def revoke(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        which = Which(form.cleaned_data["which"])
        return self._change(
            request,
            object_id,
            lambda endpoint_id: revoke_secret(endpoint_id=endpoint_id, which=which),
            done=f"The {which} secret is revoked.",
        )

    @action(  # type: ignore[untyped-decorator]  # unfold has no types
        description="New URL",
        permissions=["change_secret"],
        icon="link",
        url_path="renew",
        dialog=_dialog(
            NewUrlForm, "New URL", "The current URL returns 404 from then on."
        ),
    )
    def new_url(
        self, request: HttpRequest, form: forms.Form, object_id: str
    ) -> HttpResponse:
        is_rotated = form.cleaned_data["rotate_secret"]
        return self._change(
            request,
            object_id,
            lambda endpoint_id: replace_url(
                endpoint_id=endpoint_id, rotate_secret=is_rotated
            ),
            done="The endpoint has a new URL.",
        )

    def _change(
        self,
        request: HttpRequest,
        object_id: str,
        change: Callable[[UUID], RotatedEndpoint],
        *,
        done: str,
    ) -> HttpResponse:
        """Change an endpoint, show the result, and return to the endpoint's page."""
        endpoint: Any = self.get_object(request, object_id)
        try:
            secret = change(endpoint.pk).secret
        except TickhookError as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, endpoint, done)
            messages.success(request, done)
            if secret is not None:
                text = format_html("Secret, shown this once: {}", copyable(secret))
                messages.warning(request, text)
        page = reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk])
        return HttpResponse(headers={"HX-Redirect": page})

    @admin.display(description="Status", ordering="is_active")
    def status(self, endpoint: WebhookEndpoint) -> SafeString:
        return badge(wording.ON if endpoint.is_active else wording.OFF)

    @admin.display(description="URL")
    def url(self, endpoint: WebhookEndpoint) -> SafeString:
        return copyable(webhook_url(endpoint))

    @admin.display(description="Valid secrets")
    def valid_secrets(self, endpoint: WebhookEndpoint) -> SafeString:
        """Show since when and until when each secret is valid, never its text."""
        lines = [(_dates(state),) for state in states_of(live_entries(endpoint))]
        return format_html_join(SafeString("<br>"), "{}", lines)

    @admin.display(description="Try it")
    def curl(self, endpoint: WebhookEndpoint) -> SafeString:
        return curl_of(endpoint)

    @admin.display(description="Triggers")
    def triggers(self, endpoint: WebhookEndpoint) -> SafeString:
        model = "triggers_trigger"
        return list_link(model, "its triggers", endpoint__id__exact=endpoint.pk)

    @admin.display(description="Events")
    def events(self, endpoint: WebhookEndpoint) -> SafeString:
        return list_link("events_event", "its events", endpoint_id__exact=endpoint.pk)

    @admin.display(description="Counts")
    def rejection_counts(self, endpoint: WebhookEndpoint) -> SafeString:
        """Show how many requests were rejected for each cause."""
        lines = [
            f"{cause_text(row.cause)}: {row.last_day:,} in the last 24 hours, "
            f"{row.in_all:,} in all"
            for row in count_rejections(endpoint.pk)
        ]
        return text_block("\n".join(lines)) if lines else NOTHING

    @admin.display(description="Samples")
    def rejections(self, endpoint: WebhookEndpoint) -> SafeString:
        model = "webhooks_rejection"
        return list_link(model, "the latest ones", endpoint__id__exact=endpoint.pk)
