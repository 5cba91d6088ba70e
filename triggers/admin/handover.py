"""The page that hands over what an account owns, and the links to it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from access.admin.users import UserAdmin
from access.handover import NotAnOwner, hand_over, may_administer
from access.ownership import GRACE, count_owned, counts_text, owned_kinds, rows_of
from agents.models import Agent
from agents.services.users import users_of_agent
from common.admin.display import NOTHING, link, list_link

logger = logging.getLogger(__name__)

MAX_CANDIDATES = 50
MAX_OFFERS = 10
# The lists of the kinds of owned rows.
LISTS = {"agents": "agents_agent", "triggers": "triggers_trigger"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A possible new owner; `closed` are the agents that this user may not use.

    `left_out` is the number of rows that belong to them.
    """

    user: User
    closed: Sequence[str]
    left_out: int


class HandOverForm(forms.Form):
    new_owner = forms.ModelChoiceField(
        queryset=User.objects.filter(is_active=True),
        error_messages={
            "required": "Choose the new owner.",
            "invalid_choice": "Choose an active user.",
        },
    )


def find_candidates(previous: User | None, search: str) -> list[Candidate]:
    """Return active users by name, one more than are shown if there are more."""
    users = User.objects.filter(is_active=True, username__icontains=search)
    if previous:
        users = users.exclude(pk=previous.pk)
    found = list(users.order_by("username")[: MAX_CANDIDATES + 1])
    owned = _rows_by_agent(previous)
    able = users_of_agent(OuterRef("pk")).filter(pk__in=[user.pk for user in found])
    agents = Agent.objects.filter(pk__in=owned).order_by("name")
    shown = agents.annotate(able=ArraySubquery(able.values("pk")))
    rows = list(shown.values_list("pk", "name", "able"))
    return [
        Candidate(
            user=user,
            closed=[name for _, name, able in rows if user.pk not in able],
            left_out=sum(owned[pk] for pk, _, able in rows if user.pk not in able),
        )
        for user in found
    ]


def _rows_by_agent(owner: User | None) -> Mapping[UUID, int]:
    """Return how many rows of an account belong to which agent."""
    counts: Counter[UUID] = Counter()
    for name, rows in rows_of(owner):
        by_agent = rows.order_by().values_list(owned_kinds[name].agent_column)
        counts.update(dict(by_agent.annotate(Count("pk"))))
    return counts


admin.site.unregister(User)


@admin.register(User)
class OwnerAdmin(UserAdmin):
    """Users, what they own, and the page that hands it over."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.hand_over)
        urls: list[URLPattern] = [
            path("<int:pk>/hand-over/", view, name="auth_user_hand_over"),
            path("deleted/hand-over/", view, name="auth_user_deleted_hand_over"),
        ]
        return urls + super().get_urls()

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        return shown if obj is None else (*shown, ("Ownership", {"fields": ("owns",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "owns")

    @admin.display(description="Owns")
    def owns(self, user: User) -> SafeString:
        """Link to the lists of what the account owns, and to the hand-over."""
        counts = count_owned(user)
        if not counts:
            return NOTHING
        lists = format_html_join(
            " and ",
            "{}",
            (
                (list_link(LISTS[n], counts_text({n: c}), owner__id__exact=user.pk),)
                for n, c in counts.items()
            ),
        )
        return format_html("{} · {}", lists, link(_url(user), "Hand over"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET" and may_administer(request.user):
            self._offer(request, None)
        return super().changelist_view(request, extra_context)

    def save_model(
        self, request: HttpRequest, obj: User, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            self._offer(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Offer the hand-over on the page that asks whether to delete accounts."""
        if "post" not in request.POST:
            for user in list(objs)[:MAX_OFFERS]:
                self._offer(request, user)
        return super().get_deleted_objects(objs, request)

    def hand_over(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Show who could own what an account owns, and hand it over."""
        if not may_administer(request.user):
            raise PermissionDenied
        previous = None if pk is None else get_object_or_404(User, pk=pk)
        form = HandOverForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._hand_over(request, previous, form.cleaned_data["new_owner"])
        search = request.GET.get("q", "").replace("\x00", "")
        candidates = find_candidates(previous, search)
        context = {
            **self.admin_site.each_context(request),
            "title": "Hand over",
            "subtitle": previous.get_username() if previous else "",
            "opts": self.opts,
            "object": previous,
            "owns": counts_text(count_owned(previous)),
            "candidates": candidates[:MAX_CANDIDATES],
            "has_more": len(candidates) > MAX_CANDIDATES,
            "search": search,
            "form": form,
        }
        return TemplateResponse(request, "admin/tickhook/hand_over.html", context)

    def _hand_over(
        self, request: HttpRequest, previous: User | None, new_owner: User
    ) -> HttpResponse:
        try:
            done = hand_over(previous=previous, new_owner=new_owner)
        except NotAnOwner as error:
            messages.error(request, error.detail)
            return redirect(_url(previous))
        logger.info(
            "User %s handed over what user %s owned to user %s: %d moved, %d left out",
            request.user.pk,
            previous.pk if previous else None,
            new_owner.pk,
            done.moved,
            done.left_out,
        )
        text = f"Moved {done.moved:,}"
        if done.left_out:
            text += (
                f", left out {done.left_out:,} (the new owner may not use their agents)"
            )
        messages.success(request, f"{text}.")
        is_done = previous is not None and not done.left_out
        return redirect(_page_of(previous) if is_done else _url(previous))

    def _offer(self, request: HttpRequest, user: User | None) -> None:
        """Show what an account owns, with a link to the page that hands it over."""
        if counts := count_owned(user):
            owner = f"{user.get_username()} owns" if user else "Deleted accounts owned"
            text = (
                f"{owner} {counts_text(counts)}. Triggers without an active owner "
                f"switch off after {GRACE.days} days."
            )
            action = link(_url(user), "Hand over")
            messages.warning(request, format_html("{} {}", text, action))


def _url(user: User | None) -> str:
    if user is None:
        return reverse("admin:auth_user_deleted_hand_over")
    return reverse("admin:auth_user_hand_over", args=[user.pk])


def _page_of(user: Model | None) -> str:
    return reverse("admin:auth_user_change", args=[user.pk if user else None])
