"""Migrates the database and makes the first account.

It is a process of its own, because Django reads its settings once per process.
"""

from __future__ import annotations

import sys

import django
from django.core.management import call_command
from django.db import Error

from common.database.errors import is_unavailable
from config.env import env
from local.environment import (
    load_keys,
    read_json,
    read_options,
    write_private_json,
)
from local.supervisor import describe_os_error

_USERNAME = "admin"


def main() -> None:
    django.setup()
    call_command("migrate", interactive=False)
    options = read_options()
    keys = load_keys(options.data / "keys.json")
    path = options.data / "credentials.json"
    token = read_json(path).get("api_token") or ""
    # The password is shown unless the operator chose it.
    flower_login = env.str("FLOWER_BASIC_AUTH", "") or keys.flower_login
    is_ours = flower_login == keys.flower_login
    write_private_json(
        path,
        {
            "url": options.url,
            "admin_username": _USERNAME,
            **_ensure_admin(keys.admin_password, token),
            "flower_url": options.flower_url,
            "flower_username": flower_login.partition(":")[0],
            "flower_password": keys.flower_password if is_ours else None,
        },
    )


def _ensure_admin(password: str, token: str) -> dict[str, str | None]:
    """Make the account and its API token, unless they exist; return both.

    The password is None if it was changed. `token` is the one that the last start made.
    """
    from django.contrib.auth.models import User

    from access.tokens import create_token, find_token

    user = User.objects.filter(username=_USERNAME).first()
    if user is None:
        user = User.objects.create_superuser(_USERNAME, password=password)
    is_ours = user.check_password(password)
    found = find_token(token)
    if found is None or found.user_id != user.pk:
        token = create_token(user=user).text if user.is_active else ""
    return {"admin_password": password if is_ours else None, "api_token": token or None}


def _run() -> None:
    """Run `main`; end with one line of text if the database or the disk fails."""
    try:
        main()
    except OSError as error:
        sys.exit(describe_os_error(error))
    except Error as error:
        if not is_unavailable(error):
            raise
        sys.exit(
            f"The database cannot be used now: {error}. Check DATABASE_URL and that "
            "the server accepts connections and writes."
        )


if __name__ == "__main__":
    _run()
