from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from access.admin.base import GuardedDeletionAdmin, HistoryAdmin
from access.callers import caller_of
from common.admin.display import json_block, list_link
from webhooks.forms import WebhookTypeForm
from webhooks.models import WebhookType, WebhookTypeVersion
from webhooks.types import delete_type


@admin.register(WebhookType)
class WebhookTypeAdmin(GuardedDeletionAdmin[WebhookType]):
    """The uploaded types; the shipped types are files."""

    form = WebhookTypeForm
    empty_text = (
        "No uploaded types. The shipped types are in the API: /api/v1/webhook-types."
    )
    actions = None
    id_search_fields = ()
    list_display = ("slug", "version", "endpoints", "updated_at")
    list_select_related = ("current",)
    search_fields = ("slug",)
    readonly_fields = ("versions", "endpoints", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookType]:
        return super().get_queryset(request).defer("current__document")

    def get_fieldsets(
        self, request: HttpRequest, obj: WebhookType | None = None
    ) -> Any:
        if obj is None:
            return ((None, {"fields": ("slug", "document")}),)
        record = ("versions", "endpoints", "created_at", "updated_at")
        return ((None, {"fields": ("document",)}), ("Facts", {"fields": record}))

    def get_form(
        self,
        request: HttpRequest,
        obj: WebhookType | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[WebhookType]]:
        """Return a form class for this request, which knows the user who uploads."""
        form = super().get_form(request, obj, change, **kwargs)
        form.by = request.user.get_username()  # type: ignore[attr-defined]  # of ours
        form.may_fetch = caller_of(request).administers  # type: ignore[attr-defined]  # of ours
        return form

    def save_model(
        self,
        request: HttpRequest,
        obj: WebhookType,
        form: forms.ModelForm[WebhookType],
        change: bool,
    ) -> None:
        """Do nothing: the form's service has stored the type."""

    def delete_model(self, request: HttpRequest, obj: WebhookType) -> None:
        delete_type(slug=obj.slug)

    @admin.display(description="Document")
    def document(self, webhook_type: WebhookType) -> SafeString:
        """Show the document to users who cannot edit it in the form."""
        return json_block(webhook_type.current.document)

    @admin.display(description="Version")
    def version(self, webhook_type: WebhookType) -> int:
        return webhook_type.current.version

    @admin.display(description="Versions")
    def versions(self, webhook_type: WebhookType) -> SafeString:
        model = "webhooks_webhooktypeversion"
        return list_link(model, "its versions", slug__exact=webhook_type.slug)

    @admin.display(description="Endpoints")
    def endpoints(self, webhook_type: WebhookType) -> SafeString:
        model = "webhooks_webhookendpoint"
        return list_link(model, "its webhooks", type__exact=webhook_type.slug)


@admin.register(WebhookTypeVersion)
class WebhookTypeVersionAdmin(HistoryAdmin[WebhookTypeVersion]):
    """The uploaded versions; to restore one, upload it again."""

    list_display = ("slug", "version", "created_by", "created_at")
    search_fields = ("slug",)
    fields = ("slug", "version", "created_by", "created_at", "document_json")
    readonly_fields = ("document_json",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookTypeVersion]:
        return super().get_queryset(request).defer("document")

    @admin.display(description="Document")
    def document_json(self, version: WebhookTypeVersion) -> SafeString:
        return json_block(version.document)
