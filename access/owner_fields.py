"""The owners of a row as members of the API: a user's name, and names of groups."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from rest_framework import serializers
from rest_framework.fields import empty

from access.callers import caller_of

MAX_GROUPS = 50


class OwnerField(serializers.CharField):
    """The name of the user that owns a row, or null."""

    def __init__(self, **options: Any) -> None:
        defaults = {
            "required": False,
            "allow_null": True,
            "max_length": 150,
            "help_text": "A user name. A creation without it makes the caller owner.",
        }
        super().__init__(**{**defaults, **options})

    def run_validation(self, data: Any = empty) -> Any:
        name = super().run_validation(data)
        if name is None:
            return None
        users = User.objects.filter(username=name)
        if subject := caller_of(self.context["request"]).subject:
            users = users.filter(subject_binding__subject=subject)
        owner = users.first()
        if owner is None:
            raise serializers.ValidationError(
                f"There is no active user {name!r}. Give the name with which the user "
                "logs in"
            )
        return owner

    def to_representation(self, value: Any) -> str:
        name: str = value.get_username()
        return name


class OwnerGroupsField(serializers.ListField):
    """The names of the groups whose members own a row together with its owner."""

    child = serializers.CharField(max_length=150)

    def __init__(self, **options: Any) -> None:
        defaults = {
            "required": False,
            "max_length": MAX_GROUPS,
            "help_text": "Names of groups whose members own it, too.",
        }
        super().__init__(**{**defaults, **options})

    def run_validation(self, data: Any = empty) -> Any:
        names: list[str] = super().run_validation(data)
        found = {group.name: group for group in Group.objects.filter(name__in=names)}
        errors = {
            str(place): f"There is no group {name!r}"
            for place, name in enumerate(names)
            if name not in found
        }
        if errors:
            raise serializers.ValidationError(errors)
        return list(found.values())

    def to_representation(self, data: Any) -> list[str]:
        return sorted(group.name for group in data.all())
