from __future__ import annotations

import json

import pytest
from django.utils import timezone
from pytest_django import Settings

from common.ids import uuid7
from events.models import Event
from senders.parsing import Identity
from senders.signatures import Cause
from tests.senders.sender_keys import certificate, rsa_signature
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.builders import (
    Sent,
    identify,
    knock,
    make_endpoint,
    refusal,
    sample,
    verify,
)
from webhooks import pending_fetches
from webhooks.models import (
    PendingFetch,
    PendingFetchKind,
    PendingFetchStatus,
    WebhookEndpoint,
)
from webhooks.pending_fetches import run_pending_fetches
from webhooks.receiver import record

TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"
OF_ALL = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
ALSO_SIGNED = {
    "Notification": ("Subject",),
    "SubscriptionConfirmation": ("SubscribeURL", "Token"),
}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    pending_fetches._load_certificate.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let Amazon answer with the certificate; return the URLs that it is asked for."""
    urls: list[str] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        urls.append(url)
        return certificate().encode()

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    return urls


def signed(sent: Sent, *, hash_name: str = "sha256", **changes: str) -> Sent:
    version = {"sha1": "1", "sha256": "2"}[hash_name]
    message = json.loads(sent.body) | {"SignatureVersion": version, **changes}
    names = sorted([*OF_ALL, *ALSO_SIGNED[message["Type"]]])
    lines = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    message["Signature"] = rsa_signature(lines.encode(), hash_name)
    return sent.but(body=json.dumps(message).encode())


def changed(sent: Sent, **changes: str) -> Sent:
    return sent.but(body=json.dumps(json.loads(sent.body) | changes).encode())


NOTIFICATION = signed(sample("sns", "Notification"))
CONFIRMATION = signed(sample("sns", "SubscriptionConfirmation"))
PEM_URL = json.loads(NOTIFICATION.body)["SigningCertURL"]
SUBSCRIBE_URL = json.loads(CONFIRMATION.body)["SubscribeURL"]


def subscribed() -> WebhookEndpoint:
    return make_endpoint("sns", secret=None, topic_arn=TOPIC)


def with_certificate(number: int) -> Sent:
    """Return a message that names a certificate of the sender which does not exist."""
    name = f"SimpleNotificationService-{number:032x}.pem"
    return changed(
        NOTIFICATION, SigningCertURL=f"https://sns.eu-west-1.amazonaws.com/{name}"
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


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
@pytest.mark.parametrize("kind", list(ALSO_SIGNED))
def test_both_versions_are_verified_and_named(kind: str, hash_name: str) -> None:
    sent = signed(sample("sns", kind), hash_name=hash_name)

    verify(sent, secret=certificate())
    assert identify(sent) == Identity(
        event_type=f"sns.{kind}", delivery_id=json.loads(sent.body)["MessageId"]
    )


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (sent, name)
        for sent in (NOTIFICATION, CONFIRMATION)
        for name in (*OF_ALL, *ALSO_SIGNED[json.loads(sent.body)["Type"]])
        if name != "Type"
    ],
)
def test_no_signed_line_can_be_changed(sent: Sent, name: str) -> None:
    other = changed(sent, **{name: "another"})

    assert refusal(other, secret=certificate()) == Cause.NO_MATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "SubscriptionConfirmation"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"Signature": ""},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem"},
    ],
)
def test_neither_can_what_tells_how_it_is_signed(changes: dict[str, str]) -> None:
    refusal(changed(NOTIFICATION, **changes), secret=certificate())


def test_a_raw_message_is_not_signed_and_not_taken() -> None:
    raw = NOTIFICATION.but(body=b"The weekly report is ready")

    assert refusal(raw, secret=certificate()) == Cause.MISSING_FIELD


@pytest.mark.django_db
def test_an_unknown_certificate_is_fetched_by_a_worker_and_then_known(
    asked: list[str],
) -> None:
    endpoint = subscribed()

    first = knock(endpoint, NOTIFICATION)

    assert (first.status_code, first["Retry-After"]) == (503, "5")
    assert_nothing_happened()
    fetch = PendingFetch.objects.get()
    assert (fetch.kind, fetch.url) == (PendingFetchKind.CERTIFICATE, PEM_URL)
    assert asked == []

    run_pending_fetches()
    again = knock(endpoint, NOTIFICATION)

    assert asked == [PEM_URL]
    assert again.status_code == 200
    assert Event.objects.get().type == "sns.Notification"


@pytest.mark.django_db
def test_a_subscription_is_recorded_and_confirmed_by_a_worker(asked: list[str]) -> None:
    known_certificate()

    answer = knock(subscribed(), CONFIRMATION)

    assert answer.status_code == 200
    assert Event.objects.get().type == "sns.SubscriptionConfirmation"
    assert asked == []
    run_pending_fetches()
    assert asked == [SUBSCRIBE_URL]
    fetch = PendingFetch.objects.get(kind=PendingFetchKind.CONFIRMATION)
    assert (fetch.status, fetch.result) == (PendingFetchStatus.DONE, "")


@pytest.mark.django_db(transaction=True)
def test_a_subscription_is_recorded_together_with_its_pending_fetch_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known_certificate()

    def fail(*_arguments: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(record, "record_events", fail)

    assert knock(subscribed(), CONFIRMATION).status_code == 500
    assert_nothing_happened()
    assert not PendingFetch.objects.filter(kind=PendingFetchKind.CONFIRMATION).exists()


OTHER = "arn:aws:sns:eu-west-1:999999999999:reports"


@pytest.mark.django_db
@pytest.mark.parametrize("sent", [NOTIFICATION, CONFIRMATION])
def test_another_topic_is_refused_and_never_confirmed(sent: Sent) -> None:
    """Anybody can have Amazon sign messages of a topic of their own."""
    known_certificate()

    answer = knock(subscribed(), signed(sent, TopicArn=OTHER))

    assert answer.status_code == 403
    assert_nothing_happened()
    assert not PendingFetch.objects.filter(kind=PendingFetchKind.CONFIRMATION).exists()


@pytest.mark.django_db
def test_a_forged_message_is_refused(asked: list[str]) -> None:
    known_certificate()

    answer = knock(subscribed(), changed(NOTIFICATION, Message="another"))

    assert answer.status_code == 401
    assert_nothing_happened()


@pytest.mark.django_db
def test_an_unknown_certificate_counts_as_a_forgery(settings: Settings) -> None:
    settings.TICKHOOK_FORGERY_LIMIT = 3
    endpoint = subscribed()

    answers = [knock(endpoint, with_certificate(n)) for n in range(4)]

    codes = [json.loads(answer.content)["error_code"] for answer in answers]
    assert codes == ["certificate_unknown"] * 3 + ["forgery_rate_limited"]
    assert PendingFetch.objects.count() == 3


@pytest.mark.django_db
def test_made_up_certificates_do_not_keep_the_genuine_one_out(asked: list[str]) -> None:
    endpoint = subscribed()
    for number in range(30):
        knock(endpoint, with_certificate(number))

    knock(endpoint, NOTIFICATION)
    run_pending_fetches()

    assert knock(endpoint, NOTIFICATION).status_code == 200
    assert len(asked) == pending_fetches.MAX_PENDING_OF_ENDPOINT


@pytest.mark.django_db
def test_a_subscription_that_no_worker_has_room_for_comes_again(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known_certificate()
    monkeypatch.setattr(pending_fetches, "MAX_PENDING", 0)

    answer = knock(subscribed(), CONFIRMATION)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert json.loads(answer.content)["error_code"] == "confirmations_busy"
    assert_nothing_happened()
