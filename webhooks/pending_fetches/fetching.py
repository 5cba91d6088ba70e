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

from common.errors import TickhookError, clean_text
from common.outgoing import Unreachable, fetch
from common.tasks import enqueue
from senders.signatures.public_keys import load_certificate
from webhooks.models import Errand, ErrandKind, ErrandStatus

logger = logging.getLogger(__name__)

MAX_PENDING = 100
MAX_PENDING_OF_ENDPOINT = 10
# A certificate's name may be invented, so each is fetched once; a sender that delivers
# again has it fetched again. A confirmation comes from a verified sender, once.
MAX_ATTEMPTS = {ErrandKind.CERTIFICATE: 1, ErrandKind.CONFIRMATION: 6}
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
FORGET_FAILED_AFTER = timedelta(hours=1)
MOST_FAILED_KEPT = 200
MAX_ANSWER_BYTES = 64 * 1024


def request_errand(*, kind: ErrandKind, url: str, endpoint_id: UUID) -> bool:
    """Have a worker GET a URL, after the commit; return False if too many are pending.

    The URL must be one that the type's pinned pattern allows. A second call does
    nothing, except that a certificate whose fetch failed some seconds ago is fetched
    once more.
    """
    known = Errand.objects.filter(kind=kind, url=url)
    failed = known.filter(
        kind=ErrandKind.CERTIFICATE,
        status=ErrandStatus.FAILED,
        next_attempt_at__lte=timezone.now(),
    )
    if known.exists() and not failed.exists():
        return True
    if not _make_room(kind, endpoint_id):
        return False
    now = timezone.now()
    if not failed.update(status=ErrandStatus.PENDING, next_attempt_at=now):
        errand = Errand(
            kind=kind, url=url, endpoint_id=endpoint_id, next_attempt_at=now
        )
        Errand.objects.bulk_create([errand], ignore_conflicts=True)
    transaction.on_commit(_hint, robust=True)
    return True


def _make_room(kind: ErrandKind, endpoint_id: UUID) -> bool:
    """Return whether one more may be pending; remove a certificate where none may.

    Without that, invented names could keep the genuine one out. The youngest goes: each
    fetch that ends makes one of the others safe, so some genuine request gets through,
    however many invented ones follow it.
    """
    pending = Errand.objects.filter(kind=kind, status=ErrandStatus.PENDING)
    crowd = pending.filter(endpoint_id=endpoint_id)
    if crowd.count() < MAX_PENDING_OF_ENDPOINT:
        if pending.count() < MAX_PENDING:
            return True
        crowd = _of_the_fullest_endpoint(pending)
    return kind == ErrandKind.CERTIFICATE and _remove_youngest(crowd)


def _of_the_fullest_endpoint(
    pending: models.QuerySet[Errand],
) -> models.QuerySet[Errand]:
    sizes = pending.order_by().values("endpoint_id").annotate(size=models.Count("pk"))
    fullest = sizes.order_by("-size", "endpoint_id").first()
    return pending.filter(endpoint_id=fullest["endpoint_id"] if fullest else None)


def _remove_youngest(pending: models.QuerySet[Errand]) -> bool:
    """Remove the youngest that no worker is fetching; return whether there was one."""
    waiting = pending.filter(next_attempt_at__lte=timezone.now())
    with transaction.atomic():
        youngest = waiting.order_by("-id").select_for_update(skip_locked=True).first()
        if youngest is None:
            return False
        youngest.delete()
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
    is_last = errand.attempts >= MAX_ATTEMPTS[ErrandKind(errand.kind)]
    pause = FIRST_PAUSE * 2 ** min(errand.attempts - 1, 5)
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
    """Delete what failed an hour ago, and all but the newest: names can be invented."""
    before = timezone.now() - FORGET_FAILED_AFTER
    failed = Errand.objects.filter(status=ErrandStatus.FAILED)
    failed.filter(next_attempt_at__lt=before).delete()
    surplus = failed.order_by("-next_attempt_at").values("pk")[MOST_FAILED_KEPT:]
    Errand.objects.filter(pk__in=list(surplus.values_list("pk", flat=True))).delete()


def _hint() -> None:
    from webhooks.tasks import run_errands as celery_task

    enqueue(celery_task)
