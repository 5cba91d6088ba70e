"""Senders that check the URL or prove themselves by a token: what only they do."""

from __future__ import annotations

import json
import time

import pytest

from events.models import Event
from senders.signatures import sign_request
from tests.senders.requests import NOW, SECRET, Sent, as_json, identify
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Rejection, RejectionCount, WebhookEndpoint
from webhooks.rejections.recording import flush_rejections

TOKEN = "secret_anaexample0000000000000000000"  # noqa: S105 - made up for the tests
GRAPH = Sent(slug="microsoft-graph", body=b"", content_type="text/plain")
VALIDATION = Sent(
    slug="azure-event-grid",
    body=json.dumps(
        [
            {
                "id": "1",
                "topic": "/subscriptions/1",
                "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                "data": {"validationCode": "512d38b6", "validationUrl": "https://a"},
            }
        ]
    ).encode(),
    headers={"aeg-event-type": "SubscriptionValidation"},
)


def types_of_events() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def with_new_secret(slug: str) -> WebhookEndpoint:
    return create_endpoint(type_slug=slug, config={}).endpoint


@pytest.mark.django_db
def test_the_challenge_of_dropbox_is_returned_as_text() -> None:
    request = Sent(slug="dropbox", method="GET", body=b"")

    answer = send(make_endpoint("dropbox"), request, query={"challenge": "<b>c1"})

    assert (answer.status_code, answer.content) == (200, b"<b>c1")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert_nothing_happened()


@pytest.mark.django_db
def test_equal_notifications_of_dropbox_are_separate_changes() -> None:
    endpoint = make_endpoint("dropbox")

    for _ in range(2):
        assert send(endpoint, signed("dropbox")).status_code == 200

    assert types_of_events() == ["dropbox.list_folder"] * 2


@pytest.mark.django_db
def test_the_secret_of_asana_is_returned_before_the_endpoint_has_one() -> None:
    request = as_json("asana").plus(X_Hook_Secret="b537207f20cb")  # noqa: S106 - made up

    answer = send(with_new_secret("asana"), request)

    assert (answer.status_code, answer["X-Hook-Secret"]) == (200, "b537207f20cb")
    assert_nothing_happened()


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["asana", "notion"])
def test_without_the_senders_secret_nothing_is_accepted(slug: str) -> None:
    assert send(with_new_secret(slug), signed(slug)).status_code == 401
    assert_nothing_happened()


def test_a_heartbeat_of_asana_has_its_own_type() -> None:
    found = identify(as_json("asana", events=[]))

    assert found.event_type == "asana.heartbeat"


@pytest.mark.django_db
def test_the_token_of_notion_is_kept_for_people_to_read() -> None:
    request = as_json("notion", verification_token=TOKEN)

    answer = send(with_new_secret("notion"), request)

    assert (answer.status_code, answer.content) == (200, b"")
    assert_nothing_happened()
    flush_rejections()
    kept = Rejection.objects.get()
    assert (kept.cause, kept.status, bytes(kept.body)) == (
        "handshake",
        200,
        request.body,
    )
    assert kept.detail == "The sender checked this URL; the body contains its token."
    assert RejectionCount.objects.get().count == 1


@pytest.mark.django_db
def test_a_known_token_of_notion_is_not_stored_again() -> None:
    send(make_endpoint("notion"), as_json("notion", verification_token=SECRET))

    flush_rejections()
    assert SECRET.encode() not in bytes(Rejection.objects.get().body)


@pytest.mark.django_db
def test_a_retry_of_notion_is_a_duplicate() -> None:
    endpoint, form = make_endpoint("notion"), SENDERS["notion"].forms[""]
    first = signed("notion")
    again = form.sign(first.with_fields(attempt_number=2))

    answers = [send(endpoint, one) for one in (first, again)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert bytes(Event.objects.get().body) == first.body


@pytest.mark.django_db
def test_the_validation_token_of_graph_is_returned_as_text() -> None:
    token = "Validation: Testing client <script> 1"  # noqa: S105 - made up

    answer = send(
        make_endpoint("microsoft-graph"), GRAPH, query={"validationToken": token}
    )

    assert (answer.status_code, answer.content) == (200, token.encode())
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert_nothing_happened()


@pytest.mark.django_db
def test_notifications_of_graph_that_share_an_id_are_separate_events() -> None:
    endpoint, first = make_endpoint("microsoft-graph"), signed("microsoft-graph")
    other = first.but(body=first.body.replace(b'"created"', b'"updated"'))

    answers = [send(endpoint, one) for one in (first, other, first)]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert types_of_events() == ["microsoft-graph.created", "microsoft-graph.updated"]


def test_a_notification_of_graph_can_be_signed_for_a_test() -> None:
    sent = unsigned("microsoft-graph", SENDERS["microsoft-graph"].events[0])

    made = sign_request(
        sent.slug,
        secret=SECRET,
        body=sent.body,
        now=NOW,
        delivery_id="d",
        event_type="created",
    )

    assert json.loads(made.body)["value"][0]["clientState"] == SECRET
    sent.but(body=made.body).verify()


@pytest.mark.django_db
@pytest.mark.parametrize(("code", "status"), [(SECRET, 200), ("another", 401)])
def test_only_the_url_with_the_code_is_validated_for_event_grid(
    code: str, status: int
) -> None:
    answer = send(make_endpoint("azure-event-grid"), VALIDATION, query={"code": code})

    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"validationResponse": "512d38b6"}
    assert_nothing_happened()


@pytest.mark.django_db
def test_event_grid_can_send_the_secret_as_a_header() -> None:
    sent = unsigned("azure-event-grid", SENDERS["azure-event-grid"].events[0])
    endpoint = make_endpoint("azure-event-grid")

    answers = [
        send(endpoint, sent.plus(Authorization=f"Bearer {token}"))
        for token in (SECRET, "another")
    ]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert types_of_events() == [
        "azure-event-grid.Microsoft.Storage.BlobCreated",
        "azure-event-grid.Microsoft.Storage.BlobDeleted",
    ]
    assert all("authorization" not in e.request["headers"] for e in Event.objects.all())


@pytest.mark.django_db
def test_the_challenge_of_twitch_must_be_signed() -> None:
    endpoint, form = make_endpoint("twitch"), SENDERS["twitch"].forms[""]
    request = as_json("twitch", challenge="pogchamp-kappa").but(
        now=time.time(),
        headers={
            "Twitch-Eventsub-Message-Id": "1",
            "Twitch-Eventsub-Message-Type": "webhook_callback_verification",
        },
    )

    refused = send(endpoint, request)
    answer = send(endpoint, form.sign(request))

    assert refused.status_code == 401
    assert (answer.status_code, answer.content) == (200, b"pogchamp-kappa")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert_nothing_happened()


def test_the_documented_signature_of_adyen_verifies() -> None:
    """From "Verify HMAC signatures" of Adyen's documentation."""
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    item = {
        "additionalData": {
            "hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
        },
        "amount": {"value": 1130, "currency": "EUR"},
        "pspReference": "7914073381342284",
        "eventCode": "AUTHORISATION",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "success": "true",
    }

    sent = as_json("adyen", notificationItems=[{"NotificationRequestItem": item}])

    sent.but(secret=key).verify()


@pytest.mark.django_db
def test_a_second_item_of_adyen_that_nothing_signs_is_refused() -> None:
    form = SENDERS["adyen"].forms[""]
    endpoint = make_endpoint("adyen", secret=form.secret)
    items = json.loads(signed("adyen").body)["notificationItems"]
    forged = signed("adyen").with_fields(notificationItems=[*items, *items])

    answers = [send(endpoint, one) for one in (forged, signed("adyen"))]

    assert [answer.status_code for answer in answers] == [400, 200]
    assert answers[1].content == b"[accepted]"
    assert types_of_events() == ["adyen.AUTHORISATION"]


@pytest.mark.django_db
def test_an_unsigned_change_of_adyen_is_no_second_event() -> None:
    form = SENDERS["adyen"].forms[""]
    endpoint = make_endpoint("adyen", secret=form.secret)
    first = signed("adyen")
    other = first.but(body=first.body.replace(b"033899", b"033900"))

    answers = [send(endpoint, one) for one in (first, other)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert bytes(Event.objects.get().body) == first.body


@pytest.mark.django_db
def test_a_trigger_of_zendesk_without_a_type_is_a_notification() -> None:
    endpoint, form = make_endpoint("zendesk"), SENDERS["zendesk"].forms[""]
    sent = as_json("zendesk", title="No report").but(now=time.time())

    assert send(endpoint, form.sign(sent)).status_code == 200
    assert types_of_events() == ["zendesk.notification"]
