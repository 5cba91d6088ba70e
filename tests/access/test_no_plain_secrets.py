"""Stores secrets in all possible ways, then searches every column for them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from access.tokens import create_token
from agents.models import AgentTask
from events.models import Event
from executions.pipeline.drain import drain
from tests.factories import make_agent
from tests.webhooks.deliveries import deliver
from webhooks.models import WebhookEndpoint
from webhooks.rejections.recording import flush_rejections
from webhooks.types import upload_type

API = "/api/v1"
FIRST, SECOND, WRONG = "canary-first", "canary-second", "canary-wrong"

pytestmark = pytest.mark.django_db


def post(api: APIClient, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(f"{API}/{path}", body)
    assert answer.status_code < 300, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def make_hook(api: APIClient, webhook_type: str, **config: str) -> dict[str, Any]:
    return post(
        api,
        "triggers",
        name=f"hook for {webhook_type}",
        agent_id=str(make_agent(config={"token": "canary-agent"}).pk),
        trigger_type="webhook",
        webhook_type=webhook_type,
        webhook_config=config,
    )


def found_in_tables(*secrets: str) -> set[tuple[str, str]]:
    """Return each table whose rows contain a secret, as text or as bytes."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            for secret in secrets:
                cursor.execute(
                    f"SELECT EXISTS (SELECT FROM {name} AS row WHERE "  # noqa: S608 - our own tables
                    "strpos(row::text, %s) > 0 OR strpos(row::text, %s) > 0)",
                    [secret, secret.encode().hex()],
                )
                if cursor.fetchone() == (True,):
                    found.add((table, secret))
    return found


def test_the_search_of_this_test_finds_text_and_bytes(api: APIClient) -> None:
    make_agent(name="canary-name")
    hook = make_hook(api, "generic")
    endpoint = WebhookEndpoint.objects.get(pk=hook["endpoint_id"])
    deliver(endpoint, b'{"a":"canary-body"}')

    assert found_in_tables("canary-name", "canary-body") == {
        ("agents_agent", "canary-name"),
        ("agents_historicalagent", "canary-name"),
        ("events_event", "canary-body"),
    }


def test_secrets_of_agents_and_webhooks_are_not_stored_in_plain_text(
    api: APIClient,
) -> None:
    hook = make_hook(api, "gitlab", secret=FIRST)
    config = {"secret": "canary-meta", "verify_token": "canary-verify"}
    meta = make_hook(api, "meta", **config)
    path = f"triggers/{hook['id']}/rotate-secret"
    post(api, path, secret=SECOND)
    made = post(api, path)["webhook_secret"]
    api.patch(
        f"{API}/triggers/{meta['id']}", {"webhook_config": {"secret": "canary-3"}}
    )

    assert len(made) > 20
    assert found_in_tables("canary", made) == set()


def test_credentials_of_requests_are_not_stored(api: APIClient) -> None:
    hook = make_hook(api, "gitlab", secret=FIRST)
    endpoint = WebhookEndpoint.objects.get(pk=hook["endpoint_id"])
    credentials: dict[str, Any] = {
        "Authorization": "Bearer canary-bearer",
        "Cookie": "session=canary-cookie",
        "Proxy_Authorization": "Basic canary-proxy",
        "X_Gitlab_Event": "Push Hook",
    }

    query = "?access_token=canary-query"
    accepted = deliver(endpoint, query=query, **credentials, X_Gitlab_Token=FIRST)
    refused = deliver(endpoint, query=query, **credentials, X_Gitlab_Token=WRONG)
    flush_rejections()
    drain()
    post(api, f"deliveries/{accepted.json()['event_id']}/redeliver")

    assert (accepted.status_code, refused.status_code) == (200, 401)
    assert found_in_tables("canary") == set()


GRID: dict[str, Any] = {
    "slug": "grid",
    "parser": "x",
    "json_schema": {},
    "event_type": [{"body": "/0/eventType"}],
}
BY_TOKEN = {"signature": {"kind": "token", "read_from": {"query": "code"}}}
BY_CONFIG = {"config_matches": [{"query": "code", "config": "code"}]}


@pytest.mark.parametrize(
    ("document", "config"),
    [
        ({**BY_TOKEN, "signature_required": True}, {"secret": FIRST}),
        (BY_CONFIG, {"code": FIRST}),
    ],
)
def test_a_secret_in_the_query_is_seen_by_the_receiver_only(
    api: APIClient,
    caplog: pytest.LogCaptureFixture,
    document: dict[str, Any],
    config: dict[str, str],
) -> None:
    upload_type(document={**GRID, **document})
    hook = make_hook(api, "grid", **config)
    endpoint = WebhookEndpoint.objects.get(pk=hook["endpoint_id"])
    body = b'[{"eventType": "A"}]'

    def send(code: str) -> Any:
        query = f"?kept=1&code={code}"
        path = f"/webhooks/{endpoint.webhook_id}{query}"
        headers = {"X_Original_URI": path, "Referer": f"https://x.example{path}"}
        return deliver(endpoint, body, query=query, **headers)

    with caplog.at_level("DEBUG"):
        answers = [send(FIRST), send(FIRST), send(WRONG), send("")]
        flush_rejections()
        drain()
        accepted = answers[0].json()["event_id"]
        post(api, f"deliveries/{accepted}/redeliver")
        drain()

    assert [one.status_code for one in answers][:2] == [200, 200]
    assert {one.status_code for one in answers[2:]} <= {401, 403}
    assert found_in_tables("canary") == set()
    assert "canary" not in caplog.text + "".join(str(one.content) for one in answers)
    tasks = [task.parameters for task in AgentTask.objects.all()]
    assert len(tasks) == 3
    assert "canary" not in str(tasks)
    event = Event.objects.get(pk=accepted)
    assert event.request["query"] == {"kept": "1"}
    assert event.request["headers"]["referer"].endswith("?kept=1&[secret]")
    shown = [
        api.get(f"{API}/{path}").content
        for path in (f"events/{accepted}", f"deliveries/{accepted}", "executions")
    ]
    assert b"canary" not in b"".join(shown)


def test_a_test_event_carries_its_secret_in_the_query(api: APIClient) -> None:
    upload_type(document={**GRID, **BY_TOKEN, "signature_required": True})
    hook = make_hook(api, "grid", secret=FIRST)

    sent = post(api, "deliveries/test", endpoint_id=hook["endpoint_id"])
    shown = api.get(f"{API}/triggers/{hook['id']}/webhook-url").content

    assert (sent["outcome"], sent["status"]) == ("accepted", 200)
    assert found_in_tables("canary") == set()
    assert b"canary" not in shown


def test_secrets_of_users_are_not_stored_in_plain_text(
    client: Client, admin: User
) -> None:
    token = create_token(user=admin).text
    client.force_login(admin)
    password = {"password1": "canary-Pass1", "password2": "canary-Pass1"}

    client.post(
        reverse("admin:auth_user_add"),
        {"username": "bo", "usable_password": "true", **password},
    )

    assert User.objects.get(username="bo").check_password("canary-Pass1")
    assert found_in_tables("canary", token) == set()
