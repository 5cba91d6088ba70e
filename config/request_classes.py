"""The kinds of requests that the web server distinguishes, and what each may use.

Webhooks may use all threads. A login or a page of the admin holds a thread for much
longer: such requests use at most half of the threads, so that no number of them stops
webhooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.api.defaults import RequestTooLarge
from common.errors import TickhookError
from webhooks.receiver.batches import ALONE_WITH, BatchReceiver
from webhooks.receiver.request import BodyTooLarge
from webhooks.receiver.view import PREFIX
from webhooks.types.validation import MAX_WAIT_SECONDS
from webserver.batches import Answer
from webserver.limits import RequestClass

# The most that a webhook type may allow; the receiver checks each endpoint's own limit.
MAX_WEBHOOK_BYTES = 25 * 1024 * 1024
# Many senders give up after 10 seconds. A 503 before that tells them to retry later.
ANSWER_SECONDS = 8.0


def request_classes(
    *, max_api_bytes: int, answer_seconds: float = ANSWER_SECONDS
) -> list[RequestClass]:
    """Return the classes; a request belongs to the first that matches its path."""

    def refuse_api_body(limit: int) -> TickhookError:
        return RequestTooLarge(f"At most {limit:,} bytes are accepted here")

    webhooks = RequestClass(
        prefix=PREFIX,
        max_body_bytes=MAX_WEBHOOK_BYTES,
        too_large=lambda limit: BodyTooLarge(limit=limit),
        error_members=lambda detail: {"success": False, "error": detail},
        answer_seconds=answer_seconds,
        prefer_seconds=MAX_WAIT_SECONDS,
        alone_with=ALONE_WITH,
    )
    # One thread for each: while the database hangs, /readyz does, but /livez must not.
    probes = [
        RequestClass(
            prefix=path,
            is_whole_path=True,
            max_body_bytes=max_api_bytes,
            too_large=refuse_api_body,
            answer_seconds=answer_seconds,
            own_threads=1,
        )
        for path in ("/livez", "/readyz")
    ]
    pages = RequestClass(
        prefix="",
        max_body_bytes=max_api_bytes,
        too_large=refuse_api_body,
        thread_share=0.5,
        delays_throttled=True,
    )
    return [webhooks, *probes, pages]


class WebhooksTogether:
    """Answers the webhooks of a batch, for the web server."""

    def __init__(self) -> None:
        self._receive = BatchReceiver()

    def __call__(self, environs: Sequence[dict[str, Any]]) -> list[Answer | None]:
        return [
            None
            if response is None
            else Answer(
                status=response.status_code,
                headers=list(response.items()),
                body=response.content,
            )
            for response in self._receive(environs)
        ]
