"""What the door leaves to workers: asking a sender's certificate or confirmation URL.

An errand is a row. The Celery message is a hint; beat asks every half minute for what
it lost.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from common.errors import TickhookError
from common.outgoing import Unreachable, fetch
from common.tasks import enqueue
from common.text import clean_text
from webhooks.models import Errand, ErrandKind, ErrandStatus
from webhooks.signatures.certificates import load_certificate

logger = logging.getLogger(__name__)

MAX_PENDING = 100
MAX_PENDING_OF_ENDPOINT = 10
MAX_ATTEMPTS = 6
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
FORGET_FAILED_AFTER = timedelta(hours=1)
MAX_ANSWER_BYTES = 64 * 1024


def request_errand(*, kind: ErrandKind, url: str, endpoint_id: UUID) -> bool:
    """Have a URL asked once, after the commit; False if too many wait already.

    The URL must be one that the type's pinned pattern allows. The second call for it
    does nothing; where it failed, nobody tries again within the hour.
    """
    pending = Errand.objects.filter(kind=kind, status=ErrandStatus.PENDING)
    of_endpoint = pending.filter(endpoint_id=endpoint_id)
    if of_endpoint.count() >= MAX_PENDING_OF_ENDPOINT or pending.count() >= MAX_PENDING:
        return False
    errand = Errand(
        kind=kind, url=url, endpoint_id=endpoint_id, next_attempt_at=timezone.now()
    )
    Errand.objects.bulk_create([errand], ignore_conflicts=True)
    transaction.on_commit(_hint, robust=True)
    return True


def run_errands() -> int:
    """Ask what is due, one URL after the other; return how many. Safe beside itself."""
    _forget_failed()
    done = 0
    while (errand := _claim()) is not None:
        _run(errand)
        done += 1
    return done


def _claim() -> Errand | None:
    """Take up an errand; who dies with it in hand leaves it to others in a minute."""
    now = timezone.now()
    due = Errand.objects.filter(status=ErrandStatus.PENDING, next_attempt_at__lte=now)
    with transaction.atomic():
        errand = due.order_by("id").select_for_update(skip_locked=True).first()
        if errand is not None:
            errand.attempts += 1
            errand.next_attempt_at = now + LEASE
            errand.save(update_fields=("attempts", "next_attempt_at"))
    return errand


def _run(errand: Errand) -> None:
    try:
        answer = fetch(errand.url, max_bytes=MAX_ANSWER_BYTES)
        result = _read(errand, answer)
    except TickhookError as error:
        _note_failure(errand, error)
        return
    _mine(errand).update(status=ErrandStatus.DONE, result=result, error="")
    logger.info("Errand %s (%s) is done", errand.pk, errand.kind)


def _read(errand: Errand, answer: bytes) -> str:
    """Return what is kept of an answer: a certificate, of a confirmation nothing."""
    if errand.kind == ErrandKind.CONFIRMATION:
        return ""
    text = answer.decode("ascii", "replace")
    if load_certificate(text) is None:
        raise Unreachable("The answer is no certificate that could be used")
    return text


def _note_failure(errand: Errand, error: TickhookError) -> None:
    is_last = errand.attempts >= MAX_ATTEMPTS
    pause = FIRST_PAUSE * 2 ** (errand.attempts - 1)
    _mine(errand).update(
        status=ErrandStatus.FAILED if is_last else ErrandStatus.PENDING,
        next_attempt_at=timezone.now() + pause,
        error=clean_text(error.detail, limit=255),
    )
    logger.warning("Errand %s (%s) failed: %s", errand.pk, errand.kind, error.detail)


def _mine(errand: Errand) -> models.QuerySet[Errand]:
    """The errand, unless another worker has taken it up since."""
    return Errand.objects.filter(
        pk=errand.pk, status=ErrandStatus.PENDING, attempts=errand.attempts
    )


def _forget_failed() -> None:
    """Let what failed an hour ago be asked for again."""
    before = timezone.now() - FORGET_FAILED_AFTER
    failed = Errand.objects.filter(status=ErrandStatus.FAILED)
    failed.filter(next_attempt_at__lt=before).delete()


def _hint() -> None:
    from webhooks.tasks import run_errands as celery_task

    enqueue(celery_task)
