"""The base of all admin pages; the pages of users, groups, keys, Celery's results."""

from __future__ import annotations

from access.admin import celery_results, keys, tokens, users

__all__ = ["celery_results", "keys", "tokens", "users"]
