from __future__ import annotations

from uuid import UUID

from celery import shared_task
from celery.signals import worker_process_init

from common.tasks import left_to_the_sweep
from executions.pipeline.drain import drain
from executions.services.retention.purge import purge_hourly
from executions.services.waiting import start_waiting as start_runs
from executions.sweep import start_sweeping
from executions.sweep import sweep as sweep_once


@shared_task(name="executions.tasks.drain_inbox", soft_time_limit=300, time_limit=360)
def drain_inbox() -> None:
    """Process the inbox. The message is a hint: it may arrive twice or never."""
    with left_to_the_sweep("drain_inbox"):
        drain()


# Without events, Flower does not list these: there are many, and one that beat lets
# expire would be listed without a name, as revoked.
@shared_task(
    name="executions.tasks.sweep",
    soft_time_limit=300,
    time_limit=360,
    send_events=False,
)
def sweep() -> None:
    """Sweep once. Beat schedules it in addition to the threads of the workers."""
    sweep_once()


@shared_task(name="executions.tasks.start_waiting", soft_time_limit=300, time_limit=360)
def start_waiting(trigger_ids: list[str]) -> None:
    """Start runs that waited for a run that has ended; the sweep finds them, too."""
    with left_to_the_sweep("start_waiting"):
        start_runs([UUID(trigger_id) for trigger_id in trigger_ids])


@shared_task(
    name="executions.tasks.purge_history",
    soft_time_limit=1200,
    time_limit=1260,
    send_events=False,
)
def purge_history() -> None:
    """Delete old history for a while; the next run continues."""
    purge_hourly()


@worker_process_init.connect
def _sweep_in_worker(**_: object) -> None:
    start_sweeping()
