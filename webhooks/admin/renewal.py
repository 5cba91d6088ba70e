"""Buttons of an endpoint's page that give it another secret or another URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from common.admin.display import copyable
from common.errors import TickhookError
from webhooks.endpoints.rotation import (
    KEEP_SECONDS,
    MAX_KEEP_SECONDS,
    RenewedEndpoint,
    renew_url,
    revoke_secret,
    rotate_secret,
)
from webhooks.endpoints.secrets import Which
from webhooks.forms import SecretField
from webhooks.models import WebhookEndpoint

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
