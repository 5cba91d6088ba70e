from __future__ import annotations

import time
from functools import partial

import pytest

from events.models import Event, Inbox
from executions.models import TriggerExecution
from executions.pipeline.drain import drain
from tests.factories import make_trigger
from tests.races import ROUNDS, race
from tests.senders.requests import PUSH, SECRET, WHSEC, hex_hmac, standard_headers
from tests.webhooks.deliveries import assert_nothing_happened, deliver
from tests.webhooks.ways import each_way as each_way
from triggers.services.lifecycle import disable_trigger
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import Rejection, WebhookEndpoint
from webhooks.rejections.recording import flush_rejections

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("each_way")]


def github() -> WebhookEndpoint:
    return create_endpoint(type_slug="github", config={"secret": SECRET}).endpoint


def github_headers(body: bytes = PUSH) -> dict[str, str]:
    return {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e",
        "X-Hub-Signature-256": f"sha256={hex_hmac(body)}",
    }


def test_a_redelivery_is_the_same_event() -> None:
    endpoint = create_endpoint().endpoint

    answers = [deliver(endpoint, webhook_id="1").json() for _ in range(3)]

    assert [a["status"] for a in answers] == ["accepted", "duplicate", "duplicate"]
    assert {a["event_id"] for a in answers} == {str(Event.objects.get().id)}
    assert Inbox.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_deliveries_of_one_id_are_one_event() -> None:
    endpoint = create_endpoint().endpoint

    for number in range(ROUNDS):
        answers = race(partial(deliver, endpoint, webhook_id=str(number)))

        statuses = sorted(answer.json()["status"] for answer in answers)
        assert statuses == ["accepted"] + ["duplicate"] * 7
    assert Event.objects.count() == ROUNDS


def test_an_id_with_another_body_is_a_conflict_that_is_recorded() -> None:
    endpoint = create_endpoint().endpoint
    deliver(endpoint, b"[1]", webhook_id="1")

    response = deliver(endpoint, b"[2]", webhook_id="1", Authorization="Bearer s3cret")

    assert response.status_code == 409
    assert response.json()["error_code"] == "delivery_id_conflict"
    flush_rejections()
    rejection = Rejection.objects.get()
    assert (rejection.cause, rejection.delivery_id) == ("delivery_id_conflict", "1")
    assert bytes(rejection.body) == b"[2]"
    assert "s3cret" not in str(rejection.headers)
    assert Event.objects.count() == 1


def test_without_an_id_each_request_is_an_event() -> None:
    endpoint = create_endpoint().endpoint

    deliver(endpoint), deliver(endpoint)

    assert Event.objects.count() == 2


def test_one_id_at_two_endpoints_is_two_events() -> None:
    for endpoint in (create_endpoint().endpoint, create_endpoint().endpoint):
        assert deliver(endpoint, webhook_id="1").json()["status"] == "accepted"


def test_githubs_signature_is_verified() -> None:
    response = deliver(github(), PUSH, **github_headers())

    assert response.status_code == 200
    event = Event.objects.get()
    assert (event.type, event.delivery_id) == ("github.push", "72d3162e")


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=" + "0" * 64, hex_hmac(PUSH), "é"]
)
def test_a_forged_signature_is_refused(signature: str) -> None:
    headers = github_headers() | {"X-Hub-Signature-256": signature}

    response = deliver(github(), PUSH, **headers)

    assert response.status_code == 401
    assert_nothing_happened()


def test_a_changed_body_does_not_fit_its_signature() -> None:
    response = deliver(github(), PUSH + b" ", **github_headers(PUSH))

    assert response.status_code == 401
    assert_nothing_happened()


@pytest.mark.parametrize(("age_seconds", "status"), [(0, 200), (240, 200), (360, 401)])
def test_a_standard_webhook_is_verified_with_its_time(
    age_seconds: int, status: int
) -> None:
    endpoint = create_endpoint(
        type_slug="standardwebhooks", config={"secret": WHSEC}
    ).endpoint
    headers = standard_headers(signed_at=str(int(time.time()) - age_seconds))

    response = deliver(endpoint, PUSH, **headers)

    assert response.status_code == status
    assert Event.objects.count() == (status == 200)


@pytest.mark.parametrize(
    "header", ["X-Webhook-Signature", "X-Signature-256", "X-Hub-Signature-256"]
)
def test_a_generic_endpoint_with_a_secret_requires_a_signature(header: str) -> None:
    endpoint = create_endpoint(config={"secret": SECRET}).endpoint

    assert deliver(endpoint, PUSH).status_code == 401
    assert_nothing_happened()
    assert deliver(endpoint, PUSH, **{header: hex_hmac(PUSH)}).status_code == 200


def test_headers_that_carry_credentials_are_never_stored() -> None:
    deliver(
        create_endpoint().endpoint,
        Authorization="Bearer s3cret",
        Cookie="session=s3cret",
        Proxy_Authorization="Basic s3cret",
        X_Kept="yes",
    )

    kept = Event.objects.get().request["headers"]
    assert kept["x-kept"] == "yes"
    assert "s3cret" not in str(kept)
    assert {"authorization", "cookie", "proxy-authorization"}.isdisjoint(kept)


def test_query_parameters_that_carry_credentials_are_never_stored() -> None:
    deliver(
        create_endpoint().endpoint,
        query="?a=1&access_token=s3cret&Password=s3cret&client_secret=s3cret",
    )

    assert Event.objects.get().request["query"] == {"a": "1"}


def test_a_delivery_to_a_disabled_trigger_is_accepted_and_skipped() -> None:
    trigger = make_trigger(trigger_type="webhook")
    assert trigger.endpoint is not None
    disable_trigger(trigger_id=trigger.id)

    assert deliver(trigger.endpoint).status_code == 200
    drain()

    execution = TriggerExecution.objects.get()
    assert (execution.status, execution.reason) == ("skipped", "inactive")


def test_two_triggers_of_one_endpoint_both_run() -> None:
    first = make_trigger(trigger_type="webhook")
    second = make_trigger(trigger_type="webhook", endpoint=first.endpoint)
    assert first.endpoint is not None

    deliver(first.endpoint)
    drain()

    ran = TriggerExecution.objects.filter(status="success")
    assert set(ran.values_list("trigger_id", flat=True)) == {first.id, second.id}
