from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
)

from common.admin.forms import ServiceForm
from webhooks.definitions import shipped_slugs
from webhooks.models import WebhookEndpoint
from webhooks.services.endpoints import METHODS, update_endpoint

TYPE_CHOICES = [(slug, slug) for slug in shipped_slugs()]
METHOD_CHOICES = [(method, method) for method in METHODS]


class SecretField(forms.CharField):
    """A secret that is entered and never shown."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            max_length=1000,
            widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
            **kwargs,
        )


class EndpointForm(ServiceForm[WebhookEndpoint]):
    """What may be changed of an endpoint; it concerns every trigger it serves."""

    field_of = {"webhook_type": "type", "webhook_config": "secret"}  # noqa: RUF012 - read only

    type = forms.ChoiceField(choices=TYPE_CHOICES, widget=UnfoldAdminSelectWidget)
    secret = SecretField(help_text="Replaces the present one. Empty keeps it.")
    allowed_methods = forms.MultipleChoiceField(
        choices=METHOD_CHOICES, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("type", "allowed_methods", "validation_rules")

    def store(self) -> WebhookEndpoint:
        return update_endpoint(
            endpoint_id=self.instance.pk,
            type_slug=self.cleaned_data["type"],
            secret=self.cleaned_data["secret"] or None,
            **self.given("allowed_methods", "validation_rules"),
        ).endpoint
