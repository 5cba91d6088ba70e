"""What is special about the signatures, ids and answers of single senders."""

from __future__ import annotations

import json

import pytest

from events.models import Event
from senders.definitions import resolve
from tests.senders.requests import (
    FORM,
    NOW,
    SECRET,
    Sent,
    as_json,
    b64,
    failure,
    hex_hmac,
    identify,
    mac,
)
from tests.senders.sender_keys import ed25519_key, raw_public
from tests.senders.table import SENDERS, signed, unsigned
from tests.webhooks.deliveries import assert_nothing_happened
from tests.webhooks.types.receiving import make_endpoint, send


@pytest.fixture
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.receiver.proof.time.time", lambda: NOW)


def with_changes(slug: str, **fields: object) -> Sent:
    """Return the first sample with these members changed, and signed again."""
    sender = SENDERS[slug]
    form = next(iter(sender.forms.values()))
    return form.sign(unsigned(slug, sender.events[0]).with_fields(**fields))


@pytest.mark.django_db
@pytest.mark.usefixtures("_fixed_time")
@pytest.mark.parametrize(
    ("slug", "fields"),
    [
        ("docusign", {"retryCount": 1}),
        ("intercom", {"delivery_attempts": 2}),
        ("stripe", {"pending_webhooks": 0}),
    ],
)
def test_a_retry_that_counts_its_attempts_is_a_duplicate(
    slug: str, fields: dict[str, object]
) -> None:
    endpoint, first = make_endpoint(slug), signed(slug)

    answers = [send(endpoint, sent) for sent in (first, with_changes(slug, **fields))]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert bytes(Event.objects.get().body) == first.body


@pytest.mark.django_db
@pytest.mark.usefixtures("_fixed_time")
def test_a_retry_of_linear_with_another_time_is_a_duplicate() -> None:
    endpoint, first = make_endpoint("linear"), signed("linear")
    [form] = SENDERS["linear"].forms.values()
    again = form.sign(first.but(now=NOW + 50))

    statuses = [send(endpoint, sent).json()["status"] for sent in (first, again)]

    assert statuses == ["accepted", "duplicate"]
    assert bytes(Event.objects.get().body) == first.body


@pytest.mark.django_db
def test_a_token_of_mailgun_is_not_valid_for_a_second_event() -> None:
    endpoint, first = make_endpoint("mailgun"), signed("mailgun")
    forged = first.but(body=first.body.replace(b"bea@", b"eve@"))
    forged.verify()

    answers = [send(endpoint, sent) for sent in (first, first, forged)]

    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert Event.objects.count() == 1


@pytest.mark.parametrize("name", ["event", "created_at"])
def test_another_event_of_the_same_invitee_is_another_delivery(name: str) -> None:
    sent = signed("calendly")

    other = identify(sent.with_fields(**{name: "another"}))

    assert other.delivery_id != identify(sent).delivery_id


def test_events_of_one_action_in_shopify_are_separate_deliveries() -> None:
    """They share the id of the event: an order that is created and paid at once."""
    created = signed("shopify")
    paid = created.plus(X_Shopify_Topic="orders/paid", X_Shopify_Webhook_Id="c65668f5")

    assert identify(paid).delivery_id != identify(created).delivery_id


def test_the_older_form_of_scalr_has_its_id_in_the_body() -> None:
    identity = identify(as_json("scalr", eventId="7", eventName="HostUp"))

    assert (identity.event_type, identity.delivery_id) == ("scalr.HostUp", "7")


@pytest.mark.parametrize(
    ("slug", "header", "separator"),
    [
        ("stripe", "Stripe-Signature", ","),
        ("pagerduty", "X-PagerDuty-Signature", ","),
        ("standardwebhooks", "webhook-signature", " "),
        ("svix", "svix-signature", " "),
    ],
)
def test_one_of_several_signatures_is_enough_while_a_secret_is_rotated(
    slug: str, header: str, separator: str
) -> None:
    sent = signed(slug)
    right = sent.headers[header]
    old = {
        "stripe": "v1=" + hex_hmac(sent.body, "old"),
        "pagerduty": "v1=" + hex_hmac(sent.body, "old"),
    }.get(slug, "v1," + b64(bytes(32)))

    for value in (f"{right}{separator}{old}", f"{old}{separator}{right}"):
        sent.plus(**{header: value}).verify()


@pytest.mark.parametrize("number", [2, 10])
def test_the_signature_of_docusign_may_be_in_any_of_ten_headers(number: int) -> None:
    sent = signed("docusign")
    signature = sent.headers["X-DocuSign-Signature-1"]
    other = sent.plus(X_DocuSign_Signature_1=b64(bytes(32)))

    other.plus(**{f"X_DocuSign_Signature_{number}": signature}).verify()


@pytest.mark.parametrize("slug", ["svix", "standardwebhooks"])
def test_a_public_key_is_not_accepted_as_a_shared_secret(slug: str) -> None:
    """Otherwise everyone who knows the public key could sign with it."""
    forms = SENDERS[slug].forms
    sent = signed(slug, form_name="shared").but(secret=forms["public"].secret)
    content = f"msg_1.{NOW}.".encode() + sent.body
    forged = "v1," + b64(mac(content, key=raw_public(ed25519_key())))

    failure(sent.plus(**{str(forms["shared"].covered.signature): forged}))


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["application/json", FORM, "text/plain", ""])
@pytest.mark.parametrize(
    ("slug", "form_name", "mark"),
    [
        ("convoy-hex", "sha256 with a time", ","),
        ("convoy-b64", "sha256 with a time", ","),
        ("grafana", "with a time", ":"),
    ],
)
def test_an_old_timed_delivery_cannot_be_replayed_without_its_time(
    slug: str, form_name: str, mark: str, content_type: str
) -> None:
    """Time and body, written as one, are a body with a valid untimed signature."""
    old = signed(slug, form_name=form_name)
    body = f"{NOW}{mark}".encode() + old.body
    if slug == "grafana":
        replayed = old.without("X-Grafana-Alerting-Timestamp")
    else:
        signature = old.headers["X-Convoy-Signature"].partition(",v1=")[2]
        replayed = old.plus(X_Convoy_Signature=signature)
    replayed = replayed.but(body=body, content_type=content_type)
    replayed.verify()

    assert send(make_endpoint(slug), replayed).status_code == 400
    assert_nothing_happened()


def test_a_custom_payload_of_grafana_has_a_name() -> None:
    assert identify(as_json("grafana", text="!")).event_type == "grafana.notification"


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (as_json("grafana", ruleName="Rain", state="alerting"), "alerting"),
        (as_json("grafana", ruleName="Rain", state="no_data"), "no_data"),
        (as_json("grafana", status="firing", state="alerting"), "firing"),
        (
            as_json("pagerduty", messages=[{"id": "m", "event": "incident.trigger"}]),
            "incident.trigger",
        ),
        (
            as_json("pagerduty", messages=[{"id": "m", "type": "incident.resolve"}]),
            "incident.resolve",
        ),
    ],
)
def test_retired_formats_have_event_types(sent: Sent, event: str) -> None:
    found = identify(sent)

    assert found.event_type == f"{sent.slug}.{event}"
    assert event in (resolve(sent.slug).events or ())
    assert found.delivery_id == ("m" if sent.slug == "pagerduty" else None)


def test_older_versions_of_grafana_have_another_header() -> None:
    sent = signed("grafana", form_name="without a time")
    signature = sent.headers["X-Grafana-Alerting-Signature"]

    older = sent.without("X-Grafana-Alerting-Signature")
    older.plus(X_Grafana_Alert_Signature=signature).verify()


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["grafana", "alertmanager"])
def test_a_repeated_notification_is_a_new_event_without_a_token(slug: str) -> None:
    endpoint, sent = make_endpoint(slug), signed(slug, form_name="bearer")

    statuses = [send(endpoint, sent).json()["status"] for _ in range(2)]

    assert statuses == ["accepted"] * 2
    stored = [json.dumps(event.request) for event in Event.objects.all()]
    assert len(stored) == 2
    assert not any(SECRET in text for text in stored)


@pytest.mark.django_db
def test_a_body_that_is_not_a_notification_is_rejected() -> None:
    sent = as_json("alertmanager", a=1).plus(Authorization=f"Bearer {SECRET}")

    assert send(make_endpoint("alertmanager"), sent).status_code == 400
    assert_nothing_happened()


@pytest.mark.django_db
def test_sentry_gets_an_empty_answer() -> None:
    answer = send(make_endpoint("sentry"), signed("sentry"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_the_ping_of_pagerduty_is_an_event_and_must_be_signed() -> None:
    ping = as_json("pagerduty", event={"id": "1", "event_type": "pagey.ping"})
    endpoint = make_endpoint("pagerduty")

    forged = ping.plus(X_PagerDuty_Signature="v1=" + "ab" * 32)
    assert send(endpoint, forged).status_code == 401
    assert_nothing_happened()
    genuine = ping.plus(X_PagerDuty_Signature="v1=" + hex_hmac(ping.body))
    assert send(endpoint, genuine).status_code == 200
    assert Event.objects.get().type == "pagerduty.pagey.ping"
