"""Users, groups and keys as tests of access need them."""

from __future__ import annotations

from itertools import count

from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from access.keys import create_key
from access.models import SubjectBinding

_numbers = count(1)


def make_user(
    role: str | None = None, *, subject: str = "", group: Group | None = None
) -> User:
    """Create a user with a role, maybe bound to a subject and member of a group."""
    user = User.objects.create_user(f"user-{next(_numbers)}", is_staff=True)
    if role is not None:
        user.groups.add(Group.objects.get(name=role))
    if group is not None:
        user.groups.add(group)
    if subject:
        SubjectBinding.objects.create(user=user, subject=subject)
    return User.objects.get(pk=user.pk)


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def key_client(user: User, *scopes: str, subject: str = "") -> APIClient:
    """Return a client that authenticates with a new key of the user."""
    key = create_key(owner=user, name="tests", scopes=scopes, subject=subject)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    return client
