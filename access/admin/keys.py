from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSplitDateTimeWidget,
)

from access.admin.base import BaseAdmin
from access.keys import create_key, revoke_key
from access.models import ApiKey
from common.admin.display import badge
from common.admin.forms import ServiceForm
from common.wording import ON, Status

# The scopes that some call of the API needs, in the words of the page.
SCOPE_TEXTS = {
    "triggers:read": "see triggers, and try schedules",
    "triggers:write": "create, change, enable and delete triggers",
    "triggers:run": "run and backfill triggers",
    "executions:read": "see the history",
    "executions:payload": "see the parameters of executions",
    "events:read": "see events and their types",
    "events:payload": "see bodies and requests of events",
    "events:write": "emit events",
    "tasks:read": "see the tasks of agents",
    "tasks:payload": "see parameters and results of tasks",
    "endpoints:read": "see deliveries and webhook types",
    "endpoints:payload": "see bodies and requests of deliveries",
    "endpoints:write": "upload, change and delete webhook types",
    "endpoints:run": "redeliver, and send test events",
    "agents:read": "see agents",
    "agents:write": "create, change and delete agents",
    "system:read": "see the health, and the audit log",
}

REVOKED = Status("revoked", "✕", "outline")
EXPIRED = Status("expired", "✕", "outline")


class ApiKeyForm(ServiceForm[ApiKey]):
    """Creates a key of the user `owner`; when the form is valid, `text` is the key."""

    owner: User
    text = ""

    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope, f"{scope}: {text}") for scope, text in SCOPE_TEXTS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Never more than you may do yourself at the time of a call.",
    )
    expires_at = forms.SplitDateTimeField(
        label="Expires",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="In UTC. Empty: it works until it is revoked.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "subject", "expires_at")
        help_texts = {  # noqa: RUF012 - read only
            "name": "What uses it.",
            "subject": "Empty: it sees the rows of every subject that you see.",
        }

    def store(self) -> ApiKey:
        names = ("name", "scopes", "subject", "expires_at")
        key = create_key(owner=self.owner, **self.given(*names))
        self.text = key.text
        return key.row


@admin.register(ApiKey)
class ApiKeyAdmin(BaseAdmin[ApiKey]):
    """Everyone makes and revokes own keys; administrators see the keys of all users."""

    form = ApiKeyForm
    actions = None
    has_changes = False
    empty_text = "No API keys yet. With a key, a program uses the API for you."
    list_display = (
        "name", "status", "prefix", "owner", "subject", "last_used_at", "expires_at",
    )  # fmt: skip
    list_select_related = ("owner",)
    search_fields = ("name", "prefix", "owner__username")
    readonly_fields = (
        "status", "prefix", "owner", "last_used_at", "revoked_at", "created_at",
    )  # fmt: skip

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("name", "scopes", "subject", "expires_at")})]
        facts = ("owner", "created_at", "last_used_at", "revoked_at", "expires_at")
        shown = ("name", "status", "prefix", "scopes", "subject")
        return [(None, {"fields": shown}), ("Facts", {"fields": facts})]

    def get_form(
        self,
        request: HttpRequest,
        obj: ApiKey | None = None,
        change: bool = False,
        **kwargs: object,
    ) -> type[forms.ModelForm[ApiKey]]:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"owner": request.user})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_change_permission(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> bool:
        """Return whether the user may revoke a key: an own one, or as administrator.

        Everyone sees only the keys that they may revoke.
        """
        return obj is None or obj.revoked_at is None

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiKey,
        form: forms.ModelForm[ApiKey],
        change: bool,
    ) -> None:
        """Show the key; the service of the form has stored its digest."""
        if isinstance(form, ApiKeyForm):
            messages.success(request, f"The API key, shown this once: {form.text}")

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        revoke_key(obj)

    @admin.display(description="Status")
    def status(self, key: ApiKey) -> SafeString:
        if key.revoked_at is not None:
            return badge(REVOKED)
        is_over = key.expires_at is not None and key.expires_at <= timezone.now()
        return badge(EXPIRED if is_over else ON)
