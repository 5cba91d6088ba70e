"""The way of a request through the door: gates, handshake, checks, record, answer."""

from __future__ import annotations

from django.http import HttpResponse

from common.errors import TickhookError
from senders.definitions.answers import Handshake
from senders.definitions.webhook_types import BatchFormat
from webhooks.receiver.accepted import answer_accepted, answer_batch
from webhooks.receiver.answers import Filler, render
from webhooks.receiver.batches import record_batch
from webhooks.receiver.checks import CHECKS, GATES
from webhooks.receiver.duplicates import note_duplicate
from webhooks.receiver.handshakes import mismatches
from webhooks.receiver.record import record_delivery
from webhooks.receiver.request import Delivery
from webhooks.rejections.fixes import DUPLICATE
from webhooks.rejections.recording import count_handshake


class HandshakeRefused(TickhookError):
    """The handshake does not hold what this webhook's settings say."""

    code = "handshake_refused"
    http_status = 403


def receive(delivery: Delivery) -> HttpResponse:
    """Take one request; raise TickhookError for what is refused."""
    for gate in GATES:
        gate(delivery)
    if (handshake := delivery.handshake) is not None:
        return _answer_handshake(delivery, handshake)
    for check in CHECKS:
        check(delivery)
    return _take(delivery)


def _take(delivery: Delivery) -> HttpResponse:
    batch = delivery.definition.batch
    if batch is not None and delivery.is_batch:
        return _take_batch(delivery, batch)
    recorded = record_delivery(delivery)
    if recorded.status == DUPLICATE:
        note_duplicate(delivery, recorded.event_id)
    return answer_accepted(delivery, recorded)


def _take_batch(delivery: Delivery, batch: BatchFormat) -> HttpResponse:
    recorded = record_batch(delivery, batch)
    if recorded and all(one.status == DUPLICATE for one in recorded):
        note_duplicate(delivery, recorded[0].event_id)
    return answer_batch(recorded)


def _answer_handshake(delivery: Delivery, handshake: Handshake) -> HttpResponse:
    """Answer a handshake, and count it; nothing of it is stored."""
    if handshake.matches:
        wrong = mismatches(handshake.matches, delivery.finder, delivery.config)
        if wrong:
            names = ", ".join(f"webhook_config.{key}" for key in wrong)
            raise HandshakeRefused(f"{names} is not set, or is not what was sent")
    count_handshake(endpoint_id=delivery.endpoint.id)
    fill = Filler(request=delivery.finder, secrets=delivery.secrets)
    return render(handshake.answer, fill)
