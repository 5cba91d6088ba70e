from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest

from access.models import ApiToken
from access.tokens import create_token
from common.admin.base import BaseAdmin
from common.admin.forms import ServiceForm


class ApiTokenForm(ServiceForm[ApiToken]):
    """Creates a token; when the form is valid, `text` is the token."""

    text = ""

    class Meta:
        model = ApiToken
        fields = ("user",)

    def store(self) -> ApiToken:
        token = create_token(user=self.cleaned_data["user"])
        self.text = token.text
        return token.row


@admin.register(ApiToken)
class ApiTokenAdmin(BaseAdmin[ApiToken]):
    """Tokens can be created and deleted (revoked), but not changed.

    A token has all rights of its user, so only superusers see those of other users.
    """

    form = ApiTokenForm
    empty_text = "No API tokens yet. With a token, a program uses the API as a user."
    list_display = ("prefix", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "user__username")
    fields = ("user",)
    readonly_fields = ("prefix", "created_at")

    def get_fields(
        self, request: HttpRequest, obj: ApiToken | None = None
    ) -> tuple[str, ...]:
        return ("user",) if obj is None else ("prefix", "user", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        tokens = super().get_queryset(request)
        if _may_see_all(request):
            return tokens
        return tokens.filter(user__username=request.user.get_username())

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("user",) if _may_see_all(request) else ()

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if not _may_see_all(request):
            own = User.objects.filter(username=request.user.get_username())
            kwargs["queryset"] = own
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiToken,
        form: ModelForm[ApiToken],
        change: bool,
    ) -> None:
        """Show the token; the service of the form has stored its digest."""
        if isinstance(form, ApiTokenForm):
            messages.success(request, f"The token, shown this once: {form.text}")


def _may_see_all(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser
