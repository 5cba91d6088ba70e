from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from rest_framework.authtoken.admin import TokenAdmin as DRFTokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from common.admin.base import HouseAdmin

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

for model in (User, Group, TokenProxy):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(_UserAdmin, HouseAdmin[User]):
    id_search_fields = ()
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, HouseAdmin[Group]):
    id_search_fields = ()


@admin.register(TokenProxy)
class TokenAdmin(DRFTokenAdmin, HouseAdmin[TokenProxy]):
    """Tokens of the API. A token is shown once, when it is made."""

    id_search_fields = ()
    list_display = ("user", "created")
    autocomplete_fields = ("user",)

    def save_model(
        self,
        request: HttpRequest,
        obj: TokenProxy,
        form: forms.ModelForm[TokenProxy],
        change: bool,
    ) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            messages.success(request, f"The token, shown this once: {obj.key}")
