"""The names of the rows that Tickhook keeps among Celery beat's periodic tasks."""

from __future__ import annotations

from uuid import UUID

CLAIM_DUE = "triggers.tasks.claim_due"
HEARTBEAT_NAME = "tickhook-claim-due"
SWEEP_NAME = "tickhook-sweep"
MIRROR_PREFIX = "cron-trigger-"
# The first name after those of the mirrors, byte by byte.
AFTER_MIRRORS = "cron-trigger."


def mirror_name(trigger_id: UUID) -> str:
    return f"{MIRROR_PREFIX}{trigger_id}"
