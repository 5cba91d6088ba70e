from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.contrib.messages.constants import INFO
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageEncoder
from django.db import connection
from django.test import Client

from access.tokens import create_token
from agents.admin import AgentAdmin
from agents.models import Agent
from tests.factories import make_agent
from tests.outages import closed_database, end_connections, read_only_database
from tests.serving import serve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _leave_a_fresh_connection() -> Iterator[None]:
    yield
    connection.close()


@pytest.fixture
def cookie(admin: User) -> str:
    client = Client()
    client.force_login(admin)
    return f"sessionid={client.cookies['sessionid'].value}"


@pytest.fixture
def token(admin: User) -> str:
    return f"Token {create_token(user=admin).text}"


@pytest.mark.parametrize("path", ["/admin/", "/admin/agents/agent/", "/api/docs"])
def test_a_page_is_shown_after_the_server_was_restarted(cookie: str, path: str) -> None:
    assert serve(path, cookie=cookie).status_code == 200
    end_connections()

    assert serve(path, cookie=cookie).status_code == 200


def test_the_api_answers_after_the_server_was_restarted(token: str) -> None:
    assert serve("/api/v1/agents", authorization=token).status_code == 200
    end_connections()

    assert serve("/api/v1/agents", authorization=token).status_code == 200


def test_a_page_without_a_database_is_a_plain_503(
    cookie: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closed_database():
        response = serve("/admin/agents/agent/", cookie=cookie)

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response["Content-Type"].startswith("text/html")
    assert "The database is not available" in response.content.decode()
    assert [record for record in caplog.records if record.exc_info] == []
    assert serve("/admin/agents/agent/", cookie=cookie).status_code == 200


def test_the_api_without_a_database_is_503(token: str) -> None:
    with closed_database():
        response = serve("/api/v1/agents", authorization=token)

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert json.loads(response.content)["error_code"] == "unavailable"
    assert serve("/api/v1/agents", authorization=token).status_code == 200


def test_a_write_through_the_api_to_a_read_only_database_is_503(token: str) -> None:
    agent = make_agent()
    body = json.dumps({"name": "renamed"}).encode()
    path = f"/api/v1/agents/{agent.pk}"

    with read_only_database():
        answers = [
            serve(path, body, method="PATCH", authorization=token) for _ in range(2)
        ]
        assert serve(path, authorization=token).status_code == 200

    assert [(a.status_code, a["Retry-After"]) for a in answers] == [(503, "5")] * 2
    after = serve(path, body, method="PATCH", authorization=token)
    assert after.status_code == 200
    assert Agent.objects.get().name == "renamed"


def test_a_session_that_a_read_only_database_cannot_save_is_503(admin: User) -> None:
    client = Client()
    client.force_login(admin)
    session = client.session
    session["_messages"] = MessageEncoder().encode([Message(INFO, "Saved")])
    session.save()
    cookie = f"sessionid={session.session_key}"

    with read_only_database():
        response = serve("/admin/", cookie=cookie)

    assert response.status_code == 503
    assert "Saved" in serve("/admin/", cookie=cookie).content.decode()


def test_other_errors_get_the_page_of_django(
    cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(AgentAdmin, "get_queryset", fail)

    response = serve("/admin/agents/agent/", cookie=cookie)

    assert response.status_code == 500
    assert "Server Error (500)" in response.content.decode()
