"""Who makes a call: a person, or a program with a key of a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from access.models import ApiKey

ADMINISTER = "access.administer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a call, and the key if a program calls for the user."""

    user: User | AbstractBaseUser | AnonymousUser
    key: ApiKey | None = None

    @property
    def subject(self) -> str:
        """The subject to which the caller is bound; empty if it is not bound."""
        if self.key is not None and self.key.subject:
            return self.key.subject
        return subject_of(self.user)

    @property
    def administers(self) -> bool:
        """Whether the caller may manage what belongs to no subject."""
        return not self.subject and self.has_perm(ADMINISTER)

    def has_perm(self, permission: str) -> bool:
        """Return whether the user has a Django permission, whatever the key may do."""
        return isinstance(self.user, User) and self.user.has_perm(permission)


def caller_of(request: Any) -> Caller:
    """Return who makes a request of the API (DRF) or of a page (Django)."""
    key = getattr(request, "auth", None)
    return Caller(request.user, key if isinstance(key, ApiKey) else None)


def subject_of(user: User | AbstractBaseUser | AnonymousUser) -> str:
    """Return the subject to which a user is bound; empty if there is none."""
    binding = getattr(user, "subject_binding", None)
    return binding.subject if binding is not None else ""
