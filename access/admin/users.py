from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from unfold.admin import StackedInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from access.accounts import (
    end_sessions,
    may_manage_accounts,
    record_password_change,
)
from access.admin.base import BaseAdmin
from access.login_state import allow_logins, read_login_state
from access.models import SubjectBinding
from access.pages import sessions_page

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
    _SubjectForm = ModelForm[SubjectBinding]
else:
    _UserAdmin = DjangoUserAdmin
    _SubjectForm = ModelForm

logger = logging.getLogger(__name__)

for model in (User, Group):
    admin.site.unregister(model)


class SubjectForm(_SubjectForm):
    class Meta:
        model = SubjectBinding
        fields = ("subject",)
        help_texts = {  # noqa: RUF012 - read only
            "subject": "The user sees and starts only rows of it. Empty: of all.",
        }


class SubjectInline(StackedInline):  # type: ignore[misc]  # unfold has no types
    """The subject to which a user is bound."""

    model = SubjectBinding
    form = SubjectForm
    verbose_name = "Bound to a subject"


@admin.register(User)
class UserAdmin(_UserAdmin, BaseAdmin[User]):
    """Accounts; their page also shows failed logins, and leads to the sessions.

    Only superusers change superusers, and who is one.
    """

    id_search_fields = ()
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    change_form_outer_before_template = "admin/tickhook/user_logins.html"
    inlines = (SubjectInline,)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj is not None else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        shown = super().get_readonly_fields(request, obj)
        return shown if _is_super(request.user) else (*shown, "is_superuser")

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_open = _is_super(request.user) or not _is_super(obj)
        return is_open and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_open = _is_super(request.user) or not _is_super(obj)
        return is_open and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<int:user_id>/sessions/",
                wrap(self.sessions),
                name="auth_user_sessions",
            ),
            path(
                "<int:user_id>/allow-logins/",
                wrap(self.allow_logins),
                name="auth_user_allow_logins",
            ),
            *super().get_urls(),
        ]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: User | None = None,
    ) -> HttpResponse:
        if obj is not None and may_manage_accounts(request):
            context["managed_user"] = obj
            context["logins"] = read_login_state(obj.get_username())
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        """Store a user; a deactivated one is logged out at once."""
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            end_sessions(user=obj, by=request.user.pk)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - the name that Django gives it
        form_url: str = "",
    ) -> HttpResponse:
        before = self.get_object(request, id)
        response = super().user_change_password(request, id, form_url)
        after = self.get_object(request, id)
        if before and after and before.password != after.password:
            record_password_change(
                user=after, by=request.user.pk, kept_key=request.session.session_key
            )
        return response

    def sessions(self, request: HttpRequest, user_id: int) -> HttpResponse:
        user = _managed_user(request, user_id)
        title = f"Sessions of {user.get_username()}"
        context = {**self.admin_site.each_context(request), "title": title}
        return sessions_page(request, user, context)

    def allow_logins(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Forget the failed logins with the name of a user."""
        user = _managed_user(request, user_id)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if allow_logins(user.get_username()):
            self.log_change(request, user, "Logins allowed again.")
            logger.info(
                "Logins of user %s allowed again by user %s", user.pk, request.user.pk
            )
            messages.success(request, "Failed logins are forgotten.")
        else:
            messages.error(request, "Redis does not answer. Try again later.")
        return redirect("admin:auth_user_change", user.pk)


def _managed_user(request: HttpRequest, user_id: int) -> User:
    """Return a user whose account the person may manage; raise PermissionDenied."""
    if not may_manage_accounts(request):
        raise PermissionDenied
    return get_object_or_404(User, pk=user_id)


def _is_super(user: object) -> bool:
    return isinstance(user, User) and user.is_superuser


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin[Group]):
    id_search_fields = ()
