"""The pages of users and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import StackedInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access.admin.base import BaseAdmin
from access.models import SubjectBinding

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

for model in (User, Group):
    admin.site.unregister(model)


class SubjectInline(StackedInline):  # type: ignore[misc]  # unfold has no types
    """The subject to which a user is bound."""

    model = SubjectBinding
    verbose_name = "subject"
    verbose_name_plural = "Bound to a subject: sees and starts only its rows"


@admin.register(User)
class UserAdmin(_UserAdmin, BaseAdmin[User]):
    """Users. Only superusers change superusers, and who is one."""

    id_search_fields = ()
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (SubjectInline,)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj is not None else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        shown = super().get_readonly_fields(request, obj)
        return shown if _is_superuser(request) else (*shown, "is_superuser")

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_open = _is_superuser(request) or not _is_super(obj)
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_open = _is_superuser(request) or not _is_super(obj)
        return is_open and super().has_delete_permission(request, obj)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin[Group]):
    id_search_fields = ()


def _is_superuser(request: HttpRequest) -> bool:
    return _is_super(request.user)


def _is_super(user: object) -> bool:
    return isinstance(user, User) and user.is_superuser
