"""The settings of the project, with servers that the tests start."""

from __future__ import annotations

from tests.environment import set_environment

set_environment()

from config.settings import *  # noqa: E402, F403 - reads what was just set

# The tests' database is a copy of the one that `tests.environment` has migrated.
DATABASES["default"]["TEST"] = {"TEMPLATE": DATABASES["default"]["NAME"]}  # noqa: F405
# Many tests make a user; a password that guards nothing need not be slow to hash.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Each test's client loads the middleware, and this one would list all static files.
WHITENOISE_AUTOREFRESH = True
# Tests audit fixed instants of the past; those of retention set what they need.
HISTORY_RETENTION_DAYS = REJECTION_RETENTION_DAYS = None
