"""The base of all admin pages; the pages of users, groups, keys, Celery's results."""

from __future__ import annotations

from access.admin import audit, celery_results, keys, tokens, users

__all__ = ["audit", "celery_results", "keys", "tokens", "users"]
