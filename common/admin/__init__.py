"""The base of all admin pages; the pages of Celery's results."""

from __future__ import annotations

from common.admin import celery_results

__all__ = ["celery_results"]
