from __future__ import annotations

import time

from celery import shared_task

from common.tasks import left_to_the_sweep
from triggers.clocks.ticker import record_heartbeat
from triggers.services.claim import claim_while_due

MAX_SECONDS = 5.0


@shared_task(
    name="triggers.tasks.claim_due",
    soft_time_limit=30,
    time_limit=60,
    send_events=False,
)
def claim_due() -> None:
    """Record what is due until nothing is, for at most `MAX_SECONDS`.

    Any number of workers can run this at once.
    """
    deadline = time.monotonic() + MAX_SECONDS
    with left_to_the_sweep("claim_due"):
        claim_while_due(lambda: time.monotonic() < deadline)
        record_heartbeat()
