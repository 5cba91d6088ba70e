from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin.forms import JSONObjectField, ServiceForm
from common.errors import Fault, TickhookError
from webhooks.endpoints.lifecycle import METHODS, update_endpoint
from webhooks.models import WebhookEndpoint, WebhookType
from webhooks.types import known_slugs, upload_type

METHOD_CHOICES = [(method, method) for method in METHODS]


def type_choices() -> list[tuple[str, str]]:
    """Return the current types; Django calls this for each form."""
    return [(slug, slug) for slug in known_slugs()]


class SecretField(forms.CharField):
    """A secret that can be entered and is never displayed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            max_length=1000,
            widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
            **kwargs,
        )


class EndpointForm(ServiceForm[WebhookEndpoint]):
    """The changeable fields of an endpoint, for every trigger that it serves."""

    field_of = {"webhook_type": "type", "webhook_config": "secret"}  # noqa: RUF012 - read only

    type = forms.ChoiceField(choices=type_choices, widget=UnfoldAdminSelectWidget)
    secret = SecretField(
        help_text="Replaces the current secret. Leave it empty to keep that."
    )
    allowed_methods = forms.MultipleChoiceField(
        choices=METHOD_CHOICES, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("type", "allowed_methods", "validation_rules")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A type that is gone stays selected: another one would be stored otherwise.
        field: Any = self.fields.get("type")
        if field and (own := self.instance.type) not in dict(type_choices()):
            field.choices = [(own, own), *type_choices()]

    def store(self) -> WebhookEndpoint:
        return update_endpoint(
            endpoint_id=self.instance.pk,
            type_slug=self.cleaned_data["type"],
            secret=self.cleaned_data["secret"] or None,
            **self.given("allowed_methods", "validation_rules"),
        ).endpoint


class WebhookTypeForm(ServiceForm[WebhookType]):
    """An upload of a whole document, in the format of the API."""

    by: ClassVar[str] = ""
    may_fetch: ClassVar[bool] = False

    # A plain CharField, because the service validates the slug.
    slug = forms.CharField(
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="The name of the type in the API. The slug of a shipped type "
        "replaces that type.",
    )
    document = JSONObjectField(
        widget=UnfoldAdminTextareaWidget({"rows": 30}),
        help_text="JSON. `parser` and `json_schema` are required; "
        "docs/uploading-a-webhook-type.md names the other fields.",
    )

    class Meta:
        model = WebhookType
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields.pop("slug", None)
            self.initial["document"] = self.instance.current.document

    def store(self) -> WebhookType:
        uploaded = upload_type(
            slug=self.instance.pk or self.cleaned_data["slug"],
            document=self.cleaned_data["document"],
            by=self.by,
            may_fetch=self.may_fetch,
        )
        return WebhookType.objects.select_related("current").get(pk=uploaded.slug)

    def _add_faults(self, error: TickhookError) -> None:
        """Show each fault at the document field, with its JSON Pointer."""
        for fault in error.faults or (Fault("", error.detail),):
            is_slug = fault.pointer == "/slug" and "slug" in self.fields
            prefix = f"{fault.pointer}: " if fault.pointer and not is_slug else ""
            self.add_error("slug" if is_slug else "document", prefix + fault.detail)
