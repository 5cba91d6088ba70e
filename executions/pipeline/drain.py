from __future__ import annotations

import time

from events.nudge import nudge, take_nudge
from executions.pipeline.batch import work_lease, work_poison
from executions.pipeline.leases import (
    claim_batch,
    claim_poison,
    claim_suspects,
    has_suspects,
)

MAX_SECONDS = 5.0
MAX_BATCHES = 20


def drain() -> int:
    """Work what is in the inbox for at most 5 s or 20 batches; return the events done.

    Any number of workers may drain at once. After each batch a few events are worked
    that were in hand when a worker died, so such events never hold up the rest.
    """
    take_nudge()
    done, deadline = 0, time.monotonic() + MAX_SECONDS
    for _ in range(MAX_BATCHES):
        batch, suspect = _work_batch(), _work_suspects()
        done += batch + suspect
        if not batch and not suspect:
            return done
        if time.monotonic() > deadline:
            break
    nudge()
    return done


def _work_batch() -> int:
    lease = claim_batch()
    if lease is None:
        return 0
    if lease.is_full:
        nudge()
    return work_lease(lease)


def _work_suspects() -> int:
    if not has_suspects():
        return 0
    if lease := claim_suspects():
        return work_lease(lease)
    if lease := claim_poison():
        return work_poison(lease)
    return 0
