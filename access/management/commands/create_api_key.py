from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.keys import create_key
from access.policy import SCOPES
from common.errors import InvalidInput


class Command(BaseCommand):
    help = "Create an API key of a user and print it; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name of its owner")
        parser.add_argument("--name", default="command line", help="what uses it")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help=f"what it may do, given once or more often: {', '.join(SCOPES)}",
        )
        parser.add_argument("--subject", default="", help="it sees only its rows")
        parser.add_argument("--expires-days", type=int, help="it ends after so long")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["user"]
        days: int | None = options["expires_days"]
        try:
            owner = User.objects.get(username=name)
            expires_at = timezone.now() + timedelta(days=days) if days else None
            key = create_key(
                owner=owner,
                name=options["name"],
                scopes=options["scope"] or (),
                subject=options["subject"],
                expires_at=expires_at,
            )
        except User.DoesNotExist as error:
            raise CommandError(
                f"There is no user {name!r}. Add one in the admin under Users, or with "
                "`manage.py createsuperuser`."
            ) from error
        except OverflowError as error:
            raise CommandError("--expires-days is too large.") from error
        except InvalidInput as error:
            raise CommandError(error.detail) from error
        self.stdout.write(key.text)
