from __future__ import annotations

import json

import pytest
from django.utils import timezone
from pytest_django import Settings

from common.ids import uuid7
from events.models import Event
from senders.signatures import FailureReason
from tests.senders.requests import Sent, failure
from tests.senders.sender_keys import certificate
from tests.senders.table import SENDERS, TOPIC, signed
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send
from webhooks import pending_fetches
from webhooks.models import (
    PendingFetch,
    PendingFetchKind,
    PendingFetchStatus,
    WebhookEndpoint,
)
from webhooks.pending_fetches import run_pending_fetches
from webhooks.receiver import record

SHA256 = SENDERS["sns"].forms["sha256"]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    pending_fetches._load_certificate.cache_clear()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer each fetch with the certificate; return the URLs that were fetched."""
    urls: list[str] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        urls.append(url)
        return certificate().encode()

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    return urls


NOTIFICATION = signed("sns", "Notification")
CONFIRMATION = signed("sns", "SubscriptionConfirmation")
PEM_URL = json.loads(NOTIFICATION.body)["SigningCertURL"]
SUBSCRIBE_URL = json.loads(CONFIRMATION.body)["SubscribeURL"]


def subscribed() -> WebhookEndpoint:
    return make_endpoint("sns", secret=None, topic_arn=TOPIC)


def with_certificate(number: int) -> Sent:
    """Return a message with the allowed URL of a certificate that does not exist."""
    name = f"SimpleNotificationService-{number:032x}.pem"
    return NOTIFICATION.with_fields(
        SigningCertURL=f"https://sns.eu-west-1.amazonaws.com/{name}"
    )


def known_certificate() -> None:
    PendingFetch.objects.create(
        kind=PendingFetchKind.CERTIFICATE,
        url=PEM_URL,
        status=PendingFetchStatus.DONE,
        result=certificate(),
        endpoint_id=uuid7(),
        next_attempt_at=timezone.now(),
    )


@pytest.mark.parametrize("name", ["SubscribeURL", "Token", "Message", "TopicArn"])
def test_no_signed_field_of_a_confirmation_can_be_changed(name: str) -> None:
    assert (
        failure(CONFIRMATION.with_fields(**{name: "another"})) == FailureReason.NO_MATCH
    )


def test_a_raw_message_is_not_signed_and_is_rejected() -> None:
    raw = NOTIFICATION.but(body=b"The weekly report is ready")

    assert failure(raw) == FailureReason.MISSING_FIELD


@pytest.mark.django_db
def test_a_worker_fetches_an_unknown_certificate(
    fetched: list[str],
) -> None:
    endpoint = subscribed()

    first = send(endpoint, NOTIFICATION)

    assert (first.status_code, first["Retry-After"]) == (503, "5")
    assert_nothing_happened()
    fetch = PendingFetch.objects.get()
    assert (fetch.kind, fetch.url) == (PendingFetchKind.CERTIFICATE, PEM_URL)
    assert fetched == []

    run_pending_fetches()
    again = send(endpoint, NOTIFICATION)

    assert fetched == [PEM_URL]
    assert again.status_code == 200
    assert Event.objects.get().type == "sns.Notification"


@pytest.mark.django_db
def test_a_subscription_is_recorded_and_a_worker_confirms_it(
    fetched: list[str],
) -> None:
    known_certificate()

    answer = send(subscribed(), CONFIRMATION)

    assert answer.status_code == 200
    assert Event.objects.get().type == "sns.SubscriptionConfirmation"
    assert fetched == []
    run_pending_fetches()
    assert fetched == [SUBSCRIBE_URL]
    fetch = PendingFetch.objects.get(kind=PendingFetchKind.CONFIRMATION)
    assert (fetch.status, fetch.result) == (PendingFetchStatus.DONE, "")


@pytest.mark.django_db(transaction=True)
def test_a_subscription_and_its_pending_fetch_are_recorded_in_one_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known_certificate()

    def fail(*_arguments: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(record, "record_events", fail)

    assert send(subscribed(), CONFIRMATION).status_code == 500
    assert_nothing_happened()
    assert not PendingFetch.objects.filter(kind=PendingFetchKind.CONFIRMATION).exists()


OTHER = "arn:aws:sns:eu-west-1:999999999999:reports"


@pytest.mark.django_db
@pytest.mark.parametrize("sent", [NOTIFICATION, CONFIRMATION])
def test_another_topic_is_rejected_and_never_confirmed(sent: Sent) -> None:
    """Everyone can let Amazon sign messages of their own topic."""
    known_certificate()

    answer = send(subscribed(), SHA256.sign(sent.with_fields(TopicArn=OTHER)))

    assert answer.status_code == 403
    assert_nothing_happened()
    assert not PendingFetch.objects.filter(kind=PendingFetchKind.CONFIRMATION).exists()


@pytest.mark.django_db
def test_a_forged_message_is_rejected(fetched: list[str]) -> None:
    known_certificate()

    answer = send(subscribed(), NOTIFICATION.with_fields(Message="another"))

    assert answer.status_code == 401
    assert_nothing_happened()


@pytest.mark.django_db
def test_an_unknown_certificate_counts_as_a_forgery(settings: Settings) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 3
    endpoint = subscribed()

    answers = [send(endpoint, with_certificate(n)) for n in range(4)]

    codes = [json.loads(answer.content)["error_code"] for answer in answers]
    assert codes == ["certificate_unknown"] * 3 + ["forgery_rate_limited"]
    assert PendingFetch.objects.count() == 3


@pytest.mark.django_db
def test_invented_certificates_do_not_block_the_genuine_one(fetched: list[str]) -> None:
    endpoint = subscribed()
    for number in range(30):
        send(endpoint, with_certificate(number))

    send(endpoint, NOTIFICATION)
    run_pending_fetches()

    assert send(endpoint, NOTIFICATION).status_code == 200
    assert len(fetched) == pending_fetches.MAX_PENDING_OF_ENDPOINT


@pytest.mark.django_db
def test_a_subscription_gets_503_while_too_many_fetches_are_pending(
    fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known_certificate()
    monkeypatch.setattr(pending_fetches, "MAX_PENDING", 0)

    answer = send(subscribed(), CONFIRMATION)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert json.loads(answer.content)["error_code"] == "confirmations_busy"
    assert_nothing_happened()
