"""Google Pub/Sub: a worker fetches the keys with which tokens are verified."""

from __future__ import annotations

import time

import jwt
import pytest

from common.errors import TickhookError
from common.outgoing import Unreachable
from events.models import Event
from senders.signatures.jwt import load_key_set
from tests.senders.requests import SECRET, Sent
from tests.senders.sender_keys import GOOGLE_KEYS, published_keys, rsa_key
from tests.senders.table import SENDERS, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send, store_keys
from tests.webhooks.ways import each_way as each_way
from webhooks import pending_fetches
from webhooks.models import PendingFetch, PendingFetchKind, PendingFetchStatus
from webhooks.pending_fetches import run_pending_fetches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]

HOUR = 3600


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer each fetch with the keys; return the URLs that were fetched."""
    urls: list[str] = []

    def fetch(url: str, *, max_bytes: int) -> bytes:
        urls.append(url)
        return published_keys()

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    pending_fetches._load_keys.cache_clear()
    return urls


def message() -> Sent:
    sent = unsigned("google-pubsub", SENDERS["google-pubsub"].events[0])
    form = SENDERS["google-pubsub"].forms[""]
    return form.sign(sent.but(now=time.time()))


@pytest.mark.parametrize("secret", ["https://hooks.example/webhooks/wht_1", "short"])
def test_an_audience_that_can_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(TickhookError) as raised:
        make_endpoint("google-pubsub", secret=secret)

    [fault] = raised.value.faults
    assert fault.pointer.endswith("secret")
    assert fault.detail == (
        "Is not a secret that Google Pub/Sub can use: enter the audience of its "
        "tokens, of at least 20 characters and no URL; or any audience, a space and "
        "the account that the tokens are made for"
    )
    assert secret not in fault.detail


def test_a_worker_fetches_the_keys_of_google(fetched: list[str]) -> None:
    endpoint = make_endpoint("google-pubsub")

    first = send(endpoint, message())

    assert (first.status_code, first["Retry-After"]) == (503, "5")
    assert_nothing_happened()
    row = PendingFetch.objects.get()
    assert (row.kind, row.url) == (PendingFetchKind.KEYS, GOOGLE_KEYS)
    assert fetched == []

    run_pending_fetches()
    again = send(endpoint, message())

    assert fetched == [GOOGLE_KEYS]
    assert (again.status_code, again.content) == (204, b"")
    assert Event.objects.get().type == "google-pubsub.message"


def test_keys_are_fetched_again_after_an_hour(fetched: list[str]) -> None:
    endpoint, row = make_endpoint("google-pubsub"), store_keys(age_seconds=HOUR + 1)

    answer = send(endpoint, message())

    assert answer.status_code == 204
    row.refresh_from_db()
    assert row.status == PendingFetchStatus.PENDING
    run_pending_fetches()
    row.refresh_from_db()
    assert fetched == [GOOGLE_KEYS]
    assert time.time() - load_key_set(row.result).fetched_at < HOUR


def test_fresh_keys_are_not_fetched_again(fetched: list[str]) -> None:
    endpoint, row = make_endpoint("google-pubsub"), store_keys(age_seconds=HOUR - 60)

    assert send(endpoint, message()).status_code == 204

    row.refresh_from_db()
    assert row.status == PendingFetchStatus.DONE


def test_invented_keys_cause_one_fetch_in_some_minutes(fetched: list[str]) -> None:
    endpoint = make_endpoint("google-pubsub")
    store_keys(age_seconds=301)
    headers = {"kid": "another"}
    token = jwt.encode({}, rsa_key(2048), algorithm="RS256", headers=headers)
    invented = message().plus(Authorization=f"Bearer {token}")

    answers = []
    for _ in range(3):
        answers.append(send(endpoint, invented).status_code)
        run_pending_fetches()
        pending_fetches._load_keys.cache_clear()

    assert answers == [503, 401, 401]
    assert fetched == [GOOGLE_KEYS]


def test_an_answer_that_is_no_set_of_keys_keeps_the_old_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint, row = make_endpoint("google-pubsub"), store_keys(age_seconds=HOUR + 1)
    before = row.result

    def fetch(_url: str, *, max_bytes: int) -> bytes:
        raise Unreachable("Answered with 500")

    monkeypatch.setattr(pending_fetches, "fetch", fetch)
    send(endpoint, message())
    run_pending_fetches()

    row.refresh_from_db()
    assert (row.status, row.result) == (PendingFetchStatus.FAILED, before)
    pending_fetches._load_keys.cache_clear()
    assert send(endpoint, message()).status_code == 204


def test_a_retry_with_another_number_is_a_duplicate() -> None:
    store_keys()
    endpoint, form = make_endpoint("google-pubsub"), SENDERS["google-pubsub"].forms[""]
    again = form.sign(message().with_fields(deliveryAttempt=2))

    answers = [send(endpoint, one) for one in (message(), again)]

    assert [answer.status_code for answer in answers] == [204, 204]
    event = Event.objects.get()
    assert "authorization" not in event.request["headers"]
    assert SECRET not in str(event.request)


def test_a_message_without_its_wrapper_has_its_id_in_a_header() -> None:
    store_keys()
    form = SENDERS["google-pubsub"].forms[""]
    bare = message().but(body=b"The weekly report is ready")

    sent = form.sign(bare.plus(X_Goog_PubSub_Message_Id="136969346945"))
    answers = [send(make_endpoint("google-pubsub"), sent)]

    assert [answer.status_code for answer in answers] == [204]
    assert Event.objects.get().delivery_id == "136969346945"
