"""Logins with a password: their limits, and a line in the log for each.

The lines name users by their ids; a name without a user could be a mistyped password.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from access.login_limits import LoginThrottled, begin_attempt
from access.sessions import address_of

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0


class ThrottledBackend(ModelBackend):
    """Django's accounts, with a limit for passwords that come by HTTP.

    Every form and API that checks a password calls the backends, so the limit holds for
    all of them.
    """

    def get_user(self, user_id: int) -> User | None:
        """Return an active user, together with the subject that binds it."""
        users = User.objects.select_related("subject_binding")
        user = users.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user, None for a wrong password; raise LoginThrottled."""
        if request is None or username is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        address = request.META.get("REMOTE_ADDR", "")
        try:
            attempt = begin_attempt(address=address, name=username)
        except LoginThrottled:
            refusals.record(request, username)
            raise
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            attempt.undo()
        else:
            logger.warning("Failed login: %s from %s", *_who(request, username))
        return user


class ThrottledLogins:
    """Answer LoginThrottled with 429 and a page that says when to retry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if not isinstance(exception, LoginThrottled):
            return None
        seconds = exception.retry_after_seconds
        context = {"seconds": seconds, "page": request.get_full_path()}
        response = render(request, "login_throttled.html", context, status=429)
        response["Retry-After"] = str(seconds)
        return response


class Refusals:
    """Log the attempts that are refused unchecked, in one line a minute at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._silent_until = 0.0

    def record(self, request: HttpRequest, name: str) -> None:
        """Count an attempt; log how many there were since the last line."""
        with self._lock:
            self._count += 1
            now = time.monotonic()
            if now < self._silent_until:
                return
            count, self._count = self._count, 0
            self._silent_until = now + SECONDS_BETWEEN_LINES
        logger.warning(
            "Logins refused without a check: %d, the last of %s from %s",
            count,
            *_who(request, name),
        )

    def forget(self) -> None:
        self._count, self._silent_until = 0, 0.0


refusals = Refusals()


def _who(request: HttpRequest, name: str) -> tuple[str, str]:
    """Return the user whom a name names, and the address, as the log shows them."""
    found = User.objects.filter(username=name).values_list("pk", flat=True).first()
    user = "unknown name" if found is None else f"user {found}"
    return user, address_of(request) or "a socket"


@receiver(user_logged_in)
def _log_login(request: HttpRequest, user: User, **_: Any) -> None:
    logger.info("Login: user %s from %s", user.pk, address_of(request) or "a socket")


@receiver(user_logged_out)
def _log_logout(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        address = address_of(request) or "a socket"
        logger.info("Logout: user %s from %s", user.pk, address)
