"""API tokens: created, shown once, and found by their digest."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from access.models import ApiToken
from common.errors import Fault, InvalidInput

_RANDOM_BYTES = 20
_PREFIX_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A stored token, and its text, which cannot be read again."""

    row: ApiToken
    text: str


def create_token(*, user: User) -> NewToken:
    """Store a new token of a user; raise InvalidInput if the user is inactive."""
    if not user.is_active:
        detail = (
            f"The user {user.get_username()!r} is inactive, and the API would reject "
            "the token. Set Active on the user's page in the admin first."
        )
        raise InvalidInput(detail, faults=[Fault("/user", detail)])
    text = secrets.token_hex(_RANDOM_BYTES)
    with transaction.atomic():
        row = ApiToken.objects.create(
            user=user, digest=digest_of(text), prefix=text[:_PREFIX_CHARACTERS]
        )
    return NewToken(row=row, text=text)


def find_token(text: str) -> ApiToken | None:
    """Return the token with its user; None if it does not exist or was revoked.

    The database compares digests, so the time it takes does not reveal the token.
    """
    tokens = ApiToken.objects.select_related("user__subject_binding")
    return tokens.filter(digest=digest_of(text)).first()


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
