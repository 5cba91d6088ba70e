from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from config.logins.throttle import begin_attempt


class ThrottledBackend(ModelBackend):
    """Django's accounts; a password that comes by HTTP is tried only so often.

    Every form and API that checks a password asks the backends, so none is left out.
    """

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
        attempt = begin_attempt(address=address, name=username)
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            attempt.take_back()
        return user
