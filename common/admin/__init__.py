"""What the admin pages of all apps share, and the accounts' own pages."""

from __future__ import annotations

from common.admin import accounts

__all__ = ["accounts"]
