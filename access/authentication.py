from __future__ import annotations

from django.contrib.auth.models import User
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from access.models import ApiToken
from access.tokens import find_token


class ApiTokenAuthentication(TokenAuthentication):
    """Accepts `Authorization: Token <token>`."""

    model = ApiToken

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token = find_token(key)
        if token is None:
            raise AuthenticationFailed("The API token is not valid")
        if not token.user.is_active:
            raise AuthenticationFailed("The user of this API token is inactive")
        return token.user, token
