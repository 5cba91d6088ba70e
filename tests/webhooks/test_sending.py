from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from events.models import Event, Inbox
from senders.definitions import load_definition, resolve, shipped, shipped_slugs
from senders.definitions.shipped import SampleDelivery, sample_events
from senders.signatures import sign_request
from tests.senders.table import SENDERS
from tests.webhooks.received import URL, make_endpoint
from webhooks.endpoints import sending
from webhooks.endpoints.sample_requests import build_request
from webhooks.endpoints.urls import webhook_url
from webhooks.models import PendingFetch, WebhookEndpoint

pytestmark = pytest.mark.django_db

# Only these senders have the private keys that they sign with.
ONLY_SENDER_SIGNS = ("discord", "sendgrid", "sns")
# No throw-away key can stand for the keys that these publish.
PUBLISHES_KEYS = ("google-pubsub",)

every_sample = pytest.mark.parametrize(
    ("slug", "event"),
    [
        (slug, event)
        for slug in shipped_slugs()
        for event in sample_events(slug) or [""]
        if slug not in (*ONLY_SENDER_SIGNS, *PUBLISHES_KEYS)
    ],
)


def send(api: APIClient, endpoint: WebhookEndpoint, **sent: Any) -> dict[str, Any]:
    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk), **sent})
    assert response.status_code == 200, response.json()
    answer: dict[str, Any] = response.json()
    return answer


@every_sample
def test_each_sample_is_accepted_as_a_request_of_its_sender(
    api: APIClient, slug: str, event: str
) -> None:
    endpoint = make_endpoint(type_slug=slug, config=SENDERS[slug].config)

    first, second = (send(api, endpoint, event=event) for _ in range(2))

    assert [(t["outcome"], t["cause"]) for t in (first, second)] == [
        ("accepted", None)
    ] * 2
    assert first["event_id"] != second["event_id"] is not None
    recorded = Event.objects.get(pk=first["event_id"])
    assert recorded.type == first["event_type"]
    assert not recorded.type.endswith(".unknown")
    assert recorded.delivery_id == first["delivery_id"]


def as_javascript_writes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@every_sample
def test_a_sample_is_compact_json_as_senders_write_it(slug: str, event: str) -> None:
    """Some libraries of senders sign what they have read, written in this form."""
    secret = SENDERS[slug].forms[next(iter(SENDERS[slug].forms))].secret
    sample = shipped.sample_of(slug, event)
    assert sample is not None

    sent = build_request(resolve(slug), sample=sample, secret=secret, url="http://x/")

    if sample.content_type.endswith("json"):
        assert sent.body == as_javascript_writes(json.loads(sent.body))
    for _, field in parse_qsl(sent.body.decode()):
        if field.startswith("{"):
            assert field.encode() == as_javascript_writes(json.loads(field))


def test_a_lone_surrogate_is_sent_as_an_escape() -> None:
    assert shipped.compact_json({"gull": "\ud83d", "é": 1}) == (
        b'{"gull":"\\ud83d","\\u00e9":1}'
    )


@pytest.mark.parametrize("slug", shipped_slugs())
def test_each_type_has_a_sample(slug: str) -> None:
    assert sample_events(slug)


@pytest.mark.parametrize(
    ("slug", "event"),
    [(slug, event) for slug in ONLY_SENDER_SIGNS for event in sample_events(slug)],
)
def test_a_throw_away_key_signs_for_senders_with_a_private_key(
    api: APIClient, slug: str, event: str
) -> None:
    form = next(iter(SENDERS[slug].forms.values()))
    config = {**SENDERS[slug].config}
    if slug != "sns":
        config["secret"] = form.secret
    endpoint = make_endpoint(type_slug=slug, config=config)
    before = list(endpoint.secrets)

    answers = [send(api, endpoint, event=event) for _ in range(2)]

    assert [answer["outcome"] for answer in answers] == ["accepted", "accepted"]
    endpoint.refresh_from_db()
    assert endpoint.secrets == before
    assert not PendingFetch.objects.exists()


def test_a_throw_away_key_verifies_no_other_request(api: APIClient) -> None:
    """A request that a client signs with a key of its own is refused, also later."""
    secret = SENDERS["discord"].forms[""].secret
    endpoint = make_endpoint(type_slug="discord", config={"secret": secret})
    sample = shipped.sample_of("discord", "application_command")
    assert sample is not None
    url = webhook_url(endpoint)
    built = build_request(
        resolve("discord"),
        sample=sample,
        secret=secret,
        url=url,
        with_throw_away_key=True,
    )
    send(api, endpoint)
    Event.objects.all().delete()

    answer = Client().post(
        f"/webhooks/{endpoint.webhook_id}",
        built.body,
        content_type="application/json",
        headers={
            **built.headers,
            "Tickhook.Throw-Away-Secret": built.throw_away_secret,
            "Tickhook-Throw-Away-Secret": built.throw_away_secret,
        },
    )

    assert answer.status_code == 401
    assert not Event.objects.exists()


def test_an_endpoint_without_the_key_of_its_sender_rejects_its_test_event(
    api: APIClient,
) -> None:
    secret = SENDERS["discord"].forms[""].secret
    endpoint = make_endpoint(type_slug="discord", config={"secret": secret})
    WebhookEndpoint.objects.update(secrets=[])

    answer = send(api, endpoint)

    assert (answer["outcome"], answer["status"]) == ("rejected", 401)
    assert not Event.objects.exists()


@pytest.mark.parametrize("slug", ["standardwebhooks", "svix"])
def test_a_throw_away_key_signs_for_a_sender_that_can_have_a_private_key(
    api: APIClient, slug: str
) -> None:
    secret = SENDERS[slug].forms["public"].secret
    endpoint = make_endpoint(type_slug=slug, config={"secret": secret})

    assert send(api, endpoint)["outcome"] == "accepted"


def test_without_a_key_of_the_sender_a_request_stays_unsigned() -> None:
    made = sign_request(
        "sns", secret=None, body=b"{}", now=0, delivery_id="d", event_type="x"
    )

    assert (made.headers, made.body) == ({}, b"{}")


def test_a_test_event_has_the_topic_of_the_config(api: APIClient) -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:another"
    endpoint = make_endpoint(type_slug="sns", config={"topic_arn": topic})

    assert send(api, endpoint, event="Notification")["outcome"] == "accepted"
    assert json.loads(bytes(Event.objects.get().body))["TopicArn"] == topic


@pytest.mark.parametrize("slug", ONLY_SENDER_SIGNS)
def test_send_webhook_cannot_sign_for_senders_with_a_private_key(slug: str) -> None:
    with pytest.raises(CommandError, match="Send a test event"):
        run("--type", slug, "--url", "http://x/", "--secret", "x", "--print")


@pytest.mark.parametrize("slug", PUBLISHES_KEYS)
def test_no_test_event_is_signed_with_keys_that_the_sender_publishes(
    api: APIClient, slug: str
) -> None:
    endpoint = make_endpoint(type_slug=slug, config={})

    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk)})

    assert response.status_code == 409
    assert "Look at what the sender sends" in response.json()["detail"]
    assert "Send a test event" not in response.json()["detail"]
    assert not Event.objects.exists()


def test_a_test_event_is_an_ordinary_event_with_a_header(api: APIClient) -> None:
    endpoint = make_endpoint(type_slug="github", config={"secret": "a long secret"})

    answer = send(api, endpoint, event="push")

    event = Event.objects.get()
    assert (answer["outcome"], answer["status"]) == ("accepted", 200)
    assert (event.type, event.endpoint_id) == ("github.push", endpoint.pk)
    assert event.request["headers"]["x-github-delivery"] == answer["delivery_id"]
    assert event.request["remote_address"] == "127.0.0.1"
    assert Inbox.objects.get().event == event
    assert [row["is_test"] for row in api.get(URL).json()["results"]] == [True]


def test_a_rejected_test_event_shows_the_cause_and_a_fix(api: APIClient) -> None:
    rules = {"required_headers": ["X-Shop"]}
    endpoint = make_endpoint(validation_rules=rules)

    answer = send(api, endpoint)

    assert (answer["outcome"], answer["status"]) == ("rejected", 400)
    assert answer["cause"] == "validation_failed"
    assert answer["detail"] == "This header is required"
    assert answer["how_to_fix"].startswith("The detail names each fault")
    assert answer["event_id"] is None
    assert not Event.objects.exists()


def test_a_test_event_to_a_disabled_endpoint_is_not_found(api: APIClient) -> None:
    endpoint = make_endpoint()
    WebhookEndpoint.objects.update(is_active=False)

    assert send(api, endpoint)["status"] == 404


def test_an_endpoint_that_allows_only_get_is_tested_with_get(api: APIClient) -> None:
    endpoint = make_endpoint(allowed_methods=["GET"])

    assert send(api, endpoint)["outcome"] == "accepted"
    event = Event.objects.get()
    assert (event.request["method"], bytes(event.body)) == ("GET", b"")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"endpoint_id": str(uuid4())}, 400, "endpoint_not_found"),
        ({"event": "parade"}, 400, "unknown_sample"),
        ({"evnt": "push"}, 400, "invalid"),
    ],
)
def test_an_invalid_request_is_refused(
    api: APIClient, sent: dict[str, str], status: int, code: str
) -> None:
    endpoint = make_endpoint(type_slug="github")

    response = api.post(f"{URL}/test", {"endpoint_id": str(endpoint.pk), **sent})

    assert response.status_code == status
    assert response.json()["error_code"] == code
    assert not Event.objects.exists()


def test_a_type_without_samples_gets_a_default_sample(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_samples", lambda slug: {})
    endpoint = make_endpoint()

    send(api, endpoint, event="anything")

    assert bytes(Event.objects.get().body) == b'{"type":"anything","message":"Hello"}'


@pytest.mark.parametrize(
    ("source", "body", "place"),
    [
        ({"body": "/id"}, b'{"id": "evt_1"}', ("id",)),
        ({"body": "/data/number"}, b'{"data": {"number": 7}}', ("data", "number")),
        ({"body": "/0/id"}, b'[{"id": "evt_1"}]', (0, "id")),
    ],
)
def test_an_id_in_the_body_is_replaced_each_time(
    source: dict[str, str], body: bytes, place: tuple[Any, ...]
) -> None:
    definition = load_definition(
        {"slug": "shop", "name": "Shop", "delivery_id": [source]}
    )
    sample = SampleDelivery(event="sold", body=body)

    built = build_request(definition, sample=sample, secret=None, url="http://x/")

    value = json.loads(built.body)
    for name in place:
        value = value[name]
    assert value not in ("evt_1", 7)


def run(*arguments: str) -> str:
    stdout = io.StringIO()
    call_command("send_webhook", *arguments, stdout=stdout)
    return stdout.getvalue().strip()


@pytest.fixture
def served(live_server: LiveServer, settings: Any) -> WebhookEndpoint:
    settings.PUBLIC_URL = live_server.url
    return make_endpoint(type_slug="github")


def test_each_request_becomes_its_own_event(served: WebhookEndpoint) -> None:
    output = run("--endpoint", served.webhook_id, "--count", "3", "--header", "X-A: b")

    events = list(Event.objects.all())
    assert output.startswith(f"Sent 3 to {webhook_url(served)}; answered 200: 3")
    assert [event.type for event in events] == ["github.issues"] * 3
    assert {event.request["headers"]["x-a"] for event in events} == {"b"}


def test_a_wrong_secret_shows_the_answer_of_the_receiver(
    served: WebhookEndpoint,
) -> None:
    output = run("--endpoint", served.webhook_id, "--secret", "another secret")

    assert "answered 401: 1" in output
    assert "invalid_signature" in output
    assert not Event.objects.exists()


def test_a_given_body_is_signed_too(
    served: WebhookEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b'{"own": 1}')
    stdin = SimpleNamespace(buffer=io.BytesIO(b'{"own": 2}'))
    monkeypatch.setattr(sending, "sys", SimpleNamespace(stdin=stdin))

    run("--endpoint", served.webhook_id, "--event", "fork", "--body", str(file))
    run("--endpoint", served.webhook_id, "--body", "-")

    assert [(e.type, bytes(e.body)) for e in Event.objects.order_by("pk")] == [
        ("github.fork", b'{"own": 1}'),
        ("github.test", b'{"own": 2}'),
    ]


def test_print_shows_the_request_and_sends_nothing() -> None:
    to = ["--url", "http://127.0.0.1:1/x", "--secret", "s" * 20]

    output = run("--type", "github", *to, "--print")

    assert output.startswith("curl -X POST http://127.0.0.1:1/x")
    assert "X-Hub-Signature-256: sha256=" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--endpoint", "wht_none"],
            "--endpoint: There is no endpoint with this id",
        ),
        (["--url", "http://x", "--type", "unknown"], "--type: Must be one of: "),
        (["--url", "http://x", "--type", "github", "--event", "x"], "has samples of"),
        (["--url", "http://x", "--count", "0"], "--count: Must be at least 1"),
        (
            ["--url", "http://x", "--header", "odd"],
            "--header: Must be 'Name: value'",
        ),
        (["--url", "http://x", "--body", "/nowhere"], "No such file"),
        (["--url", "http://127.0.0.1:1/x"], "http://127.0.0.1:1/x does not answer"),
    ],
)
def test_an_invalid_option_is_reported(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)
