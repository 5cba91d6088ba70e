"""GET requests that workers make for the receiver, which itself never calls out.

A row names the URL of a certificate, of keys or of a confirmation. The Celery message
is a hint; beat starts the Celery task every half minute, in case a message was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

from celery import shared_task
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from common.errors import TickhookError, clean_text
from common.outgoing import Unreachable, fetch
from common.tasks import enqueue, left_to_the_sweep
from senders.signatures.jwt import (
    FRESH_SECONDS,
    REFETCH_SECONDS,
    key_set_text,
    load_key_set,
)
from senders.signatures.public_keys import load_certificate
from webhooks.models import PendingFetch, PendingFetchKind, PendingFetchStatus

logger = logging.getLogger(__name__)

MAX_PENDING = 100
MAX_PENDING_OF_ENDPOINT = 10
# The URL of a certificate may be invented, so a worker fetches it once; if it failed,
# the next delivery that names it requests it again. The URL of a confirmation comes
# from a verified sender, which sends it only once.
MAX_ATTEMPTS = {
    PendingFetchKind.CERTIFICATE: 1,
    PendingFetchKind.CONFIRMATION: 6,
    PendingFetchKind.KEYS: 1,
}
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
DELETE_FAILED_AFTER = timedelta(hours=1)
MAX_FAILED_KEPT = 200
MAX_ANSWER_BYTES = 64 * 1024
MAX_COUNTED_ATTEMPTS = 30_000

Fetches = models.QuerySet[PendingFetch]


class FetchedCertificates(Mapping[str, str]):
    """The certificates that workers have fetched: URL to PEM text.

    A certificate never changes, so it is cached. A missing one is looked up each time.
    """

    def __getitem__(self, url: str) -> str:
        return _load_certificate(url)

    def __iter__(self) -> Iterator[str]:
        return iter(_fetched_certificates().values_list("url", flat=True))

    def __len__(self) -> int:
        return _fetched_certificates().count()


@lru_cache(maxsize=256)
def _load_certificate(url: str) -> str:
    certificates = _fetched_certificates().filter(url=url)
    found = certificates.values_list("result", flat=True).first()
    if found is None:
        raise KeyError(url)
    return found


class FetchedKeys(Mapping[str, str]):
    """The sets of public keys that workers have fetched: URL to text.

    Each process reads a set once a minute. If it is older than an hour, a worker is to
    fetch it again; until then the old one counts.
    """

    def __getitem__(self, url: str) -> str:
        return _load_keys(url, int(time.time() // 60))

    def __iter__(self) -> Iterator[str]:
        return iter(_fetched_keys().values_list("url", flat=True))

    def __len__(self) -> int:
        return _fetched_keys().count()


@lru_cache(maxsize=64)
def _load_keys(url: str, _minute: int) -> str:
    found = _fetched_keys().filter(url=url).values_list("result", flat=True).first()
    if found is None:
        raise KeyError(url)
    if time.time() - load_key_set(found).fetched_at > FRESH_SECONDS:
        request_fetch(kind=PendingFetchKind.KEYS, url=url, endpoint_id=None)
    return found


def _fetched_keys() -> Fetches:
    return PendingFetch.objects.filter(kind=PendingFetchKind.KEYS).exclude(result="")


def _fetched_certificates() -> Fetches:
    return PendingFetch.objects.filter(
        kind=PendingFetchKind.CERTIFICATE, status=PendingFetchStatus.DONE
    )


def request_fetch(
    *, kind: PendingFetchKind, url: str, endpoint_id: UUID | None
) -> bool:
    """Request that a worker GETs a URL; return False if too many are pending.

    The caller must check that the URL matches the pinned pattern of the webhook type.
    A second call does nothing, except that certificates and keys that failed are
    requested again once a pause of some seconds is over, and keys that were fetched
    some minutes ago. The worker starts after the commit.
    """
    known = PendingFetch.objects.filter(kind=kind, url=url)
    repeated = _repeatable(known, kind)
    if known.exists() and not repeated.exists():
        return True
    if not _ensure_capacity(kind, endpoint_id):
        return False
    now = timezone.now()
    # The attempts only distinguish one claim from the next; they must fit the column.
    if not repeated.update(
        status=PendingFetchStatus.PENDING,
        next_attempt_at=now,
        attempts=F("attempts") % MAX_COUNTED_ATTEMPTS,
    ):
        new = PendingFetch(
            kind=kind, url=url, endpoint_id=endpoint_id, next_attempt_at=now
        )
        PendingFetch.objects.bulk_create([new], ignore_conflicts=True)
    transaction.on_commit(lambda: enqueue(run_pending_fetches_task), robust=True)
    return True


def _repeatable(known: Fetches, kind: PendingFetchKind) -> Fetches:
    """Leave the rows that may be fetched once more now."""
    repeated = {
        PendingFetchKind.CERTIFICATE: [PendingFetchStatus.FAILED],
        PendingFetchKind.KEYS: [PendingFetchStatus.FAILED, PendingFetchStatus.DONE],
    }
    return known.filter(
        status__in=repeated.get(kind, []), next_attempt_at__lte=timezone.now()
    )


def _ensure_capacity(kind: PendingFetchKind, endpoint_id: UUID | None) -> bool:
    """Return whether one more may be pending; if not, delete another certificate's row.

    Without the deletion, invented URLs could keep out the genuine one. The youngest row
    is deleted: each fetch that ends protects one of the older rows, so some genuine
    request gets through, however many invented ones follow it.
    """
    pending = PendingFetch.objects.filter(kind=kind, status=PendingFetchStatus.PENDING)
    candidates = pending.filter(endpoint_id=endpoint_id)
    if candidates.count() < MAX_PENDING_OF_ENDPOINT:
        if pending.count() < MAX_PENDING:
            return True
        candidates = _of_the_fullest_endpoint(pending)
    return kind == PendingFetchKind.CERTIFICATE and _delete_youngest(candidates)


def _of_the_fullest_endpoint(pending: Fetches) -> Fetches:
    sizes = pending.order_by().values("endpoint_id").annotate(size=models.Count("pk"))
    fullest = sizes.order_by("-size", "endpoint_id").first()
    return pending.filter(endpoint_id=fullest["endpoint_id"] if fullest else None)


def _delete_youngest(pending: Fetches) -> bool:
    """Delete the youngest that no worker is fetching; return whether there was one."""
    unclaimed = pending.filter(next_attempt_at__lte=timezone.now())
    with transaction.atomic():
        youngest = unclaimed.order_by("-id").select_for_update(skip_locked=True).first()
        if youngest is None:
            return False
        youngest.delete()
    return True


@shared_task(
    name="webhooks.tasks.run_errands",
    soft_time_limit=300,
    time_limit=360,
    send_events=False,
)
def run_pending_fetches_task() -> None:
    with left_to_the_sweep("run_pending_fetches"):
        run_pending_fetches()


def run_pending_fetches() -> int:
    """Fetch all URLs that are due; return how many. Several workers may run it."""
    _delete_failed()
    count = 0
    while (claimed := _claim_next()) is not None:
        _run(claimed)
        count += 1
    return count


def _claim_next() -> PendingFetch | None:
    """Claim a pending fetch; if the worker dies, another may claim it in a minute."""
    now = timezone.now()
    due = PendingFetch.objects.filter(
        status=PendingFetchStatus.PENDING, next_attempt_at__lte=now
    )
    with transaction.atomic():
        claimed = due.order_by("id").select_for_update(skip_locked=True).first()
        if claimed is not None:
            claimed.attempts += 1
            claimed.next_attempt_at = now + LEASE
            claimed.save(update_fields=("attempts", "next_attempt_at"))
    return claimed


def _run(claimed: PendingFetch) -> None:
    try:
        answer = fetch(claimed.url, max_bytes=MAX_ANSWER_BYTES)
        result = _read(claimed, answer)
    except TickhookError as error:
        _record_failure(claimed, error)
        return
    _still_claimed(claimed).update(
        status=PendingFetchStatus.DONE,
        result=result,
        error="",
        next_attempt_at=timezone.now() + timedelta(seconds=REFETCH_SECONDS),
    )
    logger.info("Pending fetch %s (%s) is done", claimed.pk, claimed.kind)


def _read(claimed: PendingFetch, answer: bytes) -> str:
    """Return what to store of an answer: a certificate or keys, else nothing."""
    if claimed.kind == PendingFetchKind.CONFIRMATION:
        return ""
    if claimed.kind == PendingFetchKind.KEYS:
        try:
            return key_set_text(answer, fetched_at=time.time())
        except (ValueError, RecursionError) as error:
            detail = "The answer is not a usable set of keys"
            raise Unreachable(detail) from error
    text = answer.decode("ascii", "replace")
    if load_certificate(text) is None:
        raise Unreachable("The answer is not a usable certificate")
    return text


def _record_failure(claimed: PendingFetch, error: TickhookError) -> None:
    is_last = claimed.attempts >= MAX_ATTEMPTS[PendingFetchKind(claimed.kind)]
    pause = FIRST_PAUSE * 2 ** min(claimed.attempts - 1, 5)
    _still_claimed(claimed).update(
        status=PendingFetchStatus.FAILED if is_last else PendingFetchStatus.PENDING,
        next_attempt_at=timezone.now() + pause,
        error=clean_text(error.detail, limit=255),
    )
    logger.warning(
        "Pending fetch %s (%s) failed: %s", claimed.pk, claimed.kind, error.detail
    )


def _still_claimed(claimed: PendingFetch) -> Fetches:
    """Return the row unless another worker has claimed it since."""
    return PendingFetch.objects.filter(
        pk=claimed.pk, status=PendingFetchStatus.PENDING, attempts=claimed.attempts
    )


def _delete_failed() -> None:
    """Delete failed rows after an hour, and all but the newest ones.

    URLs can be invented, so there may be many.
    """
    before = timezone.now() - DELETE_FAILED_AFTER
    failed = PendingFetch.objects.filter(status=PendingFetchStatus.FAILED)
    failed.filter(next_attempt_at__lt=before).delete()
    surplus = failed.order_by("-next_attempt_at").values("pk")[MAX_FAILED_KEPT:]
    PendingFetch.objects.filter(
        pk__in=list(surplus.values_list("pk", flat=True))
    ).delete()
