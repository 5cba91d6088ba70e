from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from events.models import Event
from tests.webhooks.received import make_endpoint
from webhooks.endpoints import sending
from webhooks.endpoints.lifecycle import webhook_url
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    written = io.StringIO()
    call_command("send_webhook", *words, stdout=written)
    return written.getvalue().strip()


@pytest.fixture
def served(live_server: LiveServer, settings: Any) -> WebhookEndpoint:
    settings.PUBLIC_URL = live_server.url
    return make_endpoint(type_slug="github")


def test_each_of_many_is_an_event_of_its_own(served: WebhookEndpoint) -> None:
    told = run("--endpoint", served.webhook_id, "--count", "3", "--header", "X-A: b")

    events = list(Event.objects.all())
    assert told.startswith(f"Sent 3 to {webhook_url(served)}; answered 200: 3")
    assert [event.type for event in events] == ["github.issues"] * 3
    assert {event.request["headers"]["x-a"] for event in events} == {"b"}


def test_a_wrong_secret_is_told_as_the_door_told_it(served: WebhookEndpoint) -> None:
    told = run("--endpoint", served.webhook_id, "--secret", "another secret")

    assert "answered 401: 1" in told
    assert "invalid_signature" in told
    assert not Event.objects.exists()


def test_a_body_of_ones_own_is_signed_too(
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


def test_a_request_is_shown_instead_of_sent() -> None:
    to = ["--url", "http://127.0.0.1:1/x", "--secret", "s" * 20]

    told = run("--type", "github", *to, "--print")

    assert told.startswith("curl -X POST http://127.0.0.1:1/x")
    assert "X-Hub-Signature-256: sha256=" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--endpoint", "wht_none"], "--endpoint: There is none of this name"),
        (["--url", "http://x", "--type", "nobody"], "--type: Must be one of: "),
        (["--url", "http://x", "--type", "github", "--event", "x"], "has samples of"),
        (["--url", "http://x", "--count", "0"], "--count: At least one"),
        (
            ["--url", "http://x", "--header", "odd"],
            "--header: Write 'Name: value'",
        ),
        (["--url", "http://x", "--body", "/nowhere"], "No such file"),
        (["--url", "http://127.0.0.1:1/x"], "http://127.0.0.1:1/x does not answer"),
    ],
)
def test_what_can_not_be_sent_is_said(words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)
