from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.tokens import create_token
from common.errors import InvalidInput


class Command(BaseCommand):
    help = "Create an API token for a user and print it; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the user's name")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["user"]
        try:
            user = User.objects.get(username=name)
        except User.DoesNotExist as error:
            raise CommandError(
                f"There is no user {name!r}. Add one in the admin under Users, or with "
                "`manage.py createsuperuser`."
            ) from error
        try:
            token = create_token(user=user)
        except InvalidInput as error:
            raise CommandError(error.detail) from error
        self.stdout.write(token.text)
