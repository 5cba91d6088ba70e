from __future__ import annotations

import time

from celery import shared_task

from common.tasks import left_to_the_sweep
from triggers.clocks.ticker import note_tick
from triggers.services.claim import claim_while_due

MAX_SECONDS = 5.0


@shared_task(name="triggers.tasks.claim_due", soft_time_limit=30, time_limit=60)
def claim_due() -> None:
    """Record what is due, again while there is more; safe beside itself."""
    deadline = time.monotonic() + MAX_SECONDS
    with left_to_the_sweep("claim_due"):
        claim_while_due(lambda: time.monotonic() < deadline)
        note_tick()
