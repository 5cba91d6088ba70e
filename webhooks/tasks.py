from __future__ import annotations

from celery import shared_task

from common.tasks import left_to_the_sweep
from webhooks.pending_fetches import fetching


@shared_task(name="webhooks.tasks.run_errands", soft_time_limit=300, time_limit=360)
def run_errands() -> None:
    """Ask the URLs that the door left to workers; a hint that may come twice."""
    with left_to_the_sweep("run_errands"):
        fetching.run_errands()
