"""The admin pages of users, groups, sessions and API tokens."""

from __future__ import annotations

from access.admin import keys, users

__all__ = ["keys", "users"]
