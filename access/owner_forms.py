"""The owners of a row in the admin: its form, its page, and the filters of its list."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from django import forms
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from access.admin.base import BaseAdmin, VisibleRowsFilter
from access.callers import Caller, caller_of
from access.handover import OWNER_FIELDS, may_hand_over
from access.ownership import Owned
from common.admin.forms import ServiceForm

_M = TypeVar("_M", bound=Model)

OWNER_LABELS = {
    "owner": "Owner",
    "owner_lost_at": "Without an active owner since",
}


class OwnedForm(ServiceForm[_M]):
    """The form of a row with owners; subclasses set `caller`, who fills it in.

    Those who may not view all users and groups choose among themselves and their own.
    """

    caller = Caller(AnonymousUser())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.instance
        assert isinstance(row, Owned)  # noqa: S101 - its model has owners
        if row._state.adding:
            self.initial.setdefault("owner", self.caller.user.pk)
        sees_all = not self.caller.subject
        if "owner" in self.fields:
            users = User.objects.filter(Q(is_active=True) | Q(pk=row.owner_id))
            own = users.filter(pk__in=[self.caller.user.pk, row.owner_id])
            is_open = sees_all and self.caller.has_perm("auth.view_user")
            self._offer("owner", users if is_open else own)
        if "owner_groups" in self.fields:
            groups = Group.objects.all()
            stored = () if row._state.adding else row.owner_groups.values("pk")
            own_groups = groups.filter(Q(user=self.caller.user.pk) | Q(pk__in=stored))
            is_open = sees_all and self.caller.has_perm("auth.view_group")
            self._offer("owner_groups", groups if is_open else own_groups.distinct())

    def given_owners(self) -> dict[str, Any]:
        """Return the owners, if the form was sent with them.

        An empty list of groups is not sent, but the owner always is.
        """
        is_sent = self.add_prefix("owner") in self.data
        return self.given(*OWNER_FIELDS) if is_sent else {}

    def _offer(self, name: str, rows: QuerySet[Any]) -> None:
        cast("forms.ModelChoiceField[Any]", self.fields[name]).queryset = rows

    def _save_m2m(self) -> None:
        """Do nothing, because the service has stored the groups."""


class OwnershipFilter(DropdownFilter):  # type: ignore[misc]  # is untyped
    """Filters rows by whether they have an owner, or are those of the viewer."""

    title = "ownership"
    parameter_name = "ownership"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("mine", "mine"),
            ("lost", "owner closed their account"),
            ("none", "never had an owner"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        never = Q(owner=None, owner_lost_at=None)
        match self.value():
            case "mine":
                rows = queryset.model._default_manager
                shared = rows.filter(owner_groups__user=request.user.pk)
                own = Q(owner=request.user.pk) | Q(pk__in=shared.values("pk"))
                return queryset.filter(own)
            case "lost":
                return queryset.exclude(owner_lost_at=None)
            case "none":
                return queryset.filter(never)
        return queryset


class OwnedAdmin(BaseAdmin[_M]):
    """Rows with owners, whom only the owners and Admins change."""

    def get_form(
        self,
        request: HttpRequest,
        obj: _M | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[_M]]:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"caller": caller_of(request)})

    def get_readonly_fields(self, request: HttpRequest, obj: _M | None = None) -> Any:
        shown = super().get_readonly_fields(request, obj)
        is_open = obj is None or may_hand_over(request.user, cast("Owned", obj))
        return shown if is_open else (*shown, *OWNER_FIELDS)

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        hidden = {
            name
            for name, permission in (
                ("owner", "auth.view_user"),
                ("owner_groups", "auth.view_group"),
            )
            if not request.user.has_perm(permission)
        }
        names = super().get_autocomplete_fields(request)
        return [name for name in names if name not in hidden]

    def get_list_filter(self, request: HttpRequest) -> Any:
        by_owner = [("owner", VisibleRowsFilter)]
        return [
            *super().get_list_filter(request),
            *(by_owner if request.user.has_perm("auth.view_user") else ()),
            OwnershipFilter,
        ]
