"""The pages on which people see their sessions and change their password."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.forms import AdminOwnPasswordChangeForm

from access.accounts import (
    MOST_SHOWN,
    end_session,
    end_sessions,
    find_sessions,
    is_session,
    record_password_change,
)
from access.login_limits import begin_attempt
from access.sessions import address_of

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm

logger = logging.getLogger(__name__)

ALL = "all"


def sessions_page(
    request: HttpRequest, user: User, context: dict[str, Any]
) -> HttpResponse:
    """Show the sessions of a user; a POST ends the one that it names, or all others."""
    if request.method == "POST":
        return _end(request, user, request.POST.get("session", ""))
    sessions = find_sessions(user=user, current_key=request.session.session_key)
    context |= {
        "sessions": sessions,
        "owner": user,
        "is_own": request.user.pk == user.pk,
        "has_others": any(not session.is_current for session in sessions),
        "most_shown": MOST_SHOWN if len(sessions) == MOST_SHOWN else None,
    }
    return TemplateResponse(request, "admin/tickhook/sessions.html", context)


def _end(request: HttpRequest, user: User, named: str) -> HttpResponse:
    """End the sessions that the form names, and show the page again.

    The session of this very request is ended by logging out: its messages must not be
    stored any more.
    """
    own_key = request.session.session_key
    if named == ALL:
        ended = end_sessions(user=user, by=request.user.pk, kept_key=own_key)
        messages.success(request, f"{ended} session{'s' * (ended != 1)} ended.")
        return redirect(request.path)
    try:
        public_id = UUID(named)
    except ValueError:
        messages.error(request, "No session has this id.")
        return redirect(request.path)
    if is_session(public_id=public_id, key=own_key):
        logout(request)
        return redirect("admin:login")
    if end_session(user=user, public_id=public_id, by=request.user.pk):
        messages.success(request, "The session ended.")
    else:
        messages.warning(request, "The session had already ended.")
    return redirect(request.path)


class OwnPasswordChangeView(PasswordChangeView):
    """The page on which people change their password.

    Wrong old passwords count as failed logins: otherwise a stolen session could be used
    to find the password.
    """

    title = "Change password"
    form_class = AdminOwnPasswordChangeForm
    template_name = "registration/password_change_form.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Change the password; raise LoginThrottled after too many wrong ones."""
        attempt = begin_attempt(
            address=request.META.get("REMOTE_ADDR", ""),
            name=request.user.get_username(),
        )
        form = self.get_form()
        is_valid = form.is_valid()
        if "old_password" not in form.errors:
            attempt.undo()
        else:
            logger.warning(
                "Wrong old password: user %s from %s",
                request.user.pk,
                address_of(request) or "a socket",
            )
        return self.form_valid(form) if is_valid else self.form_invalid(form)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change the password, unless the session is ended in the same moment."""
        with transaction.atomic():
            response = super().form_valid(form)
            record_password_change(
                user=form.user,
                by=form.user.pk,
                kept_key=self.request.session.session_key,
            )
        done = "Your password is changed, and your other sessions have ended."
        messages.success(self.request, done)
        return response
