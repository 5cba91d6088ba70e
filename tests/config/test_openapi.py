"""The API's pages for people and programs: schema, Swagger, browsable API."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import re2
import yaml
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from common.api import openapi
from common.api.openapi import CachedSchemaView
from tests.config.openapi import PREFIX, document, operations
from tests.factories import make_trigger

LINKS = re2.compile(r'(?:src|href)="([^"]+)"')
PLACE = re2.compile(r"{\w+}")
PATHS = ["", "triggers", "agents", "tasks", "events", "event-types", "executions"]
PATHS += ["deliveries", "schedules/presets", "webhook-types"]


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def test_the_schema_is_valid_and_without_warnings() -> None:
    written = StringIO()

    call_command("spectacular", validate=True, fail_on_warn=True, stdout=written)

    paths = yaml.safe_load(written.getvalue())["paths"]
    assert "/api/v1/triggers/{id}/run" in paths


@pytest.mark.django_db
def test_the_schema_needs_no_login(client: Client) -> None:
    response = client.get("/api/schema")

    assert response.status_code == 200
    assert yaml.safe_load(response.content)["info"]["title"] == "Tickhook"


@pytest.mark.django_db
def test_the_schema_is_built_once_for_each_format(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "_rendered", {})
    built = []
    build: Any = CachedSchemaView.generator_class.get_schema

    def get_schema(self: Any, **options: Any) -> Any:
        built.append(options)
        return build(self, **options)

    monkeypatch.setattr(CachedSchemaView.generator_class, "get_schema", get_schema)
    queries = ("", "?lang=de", "?version=9", "?format=json", "?format=json&lang=de")

    answers = [client.get(f"/api/schema{query}") for query in queries]

    assert len(built) == 2
    texts = [answer.content for answer in answers]
    assert texts == [texts[0]] * 3 + [texts[3]] * 2
    assert yaml.safe_load(texts[0]) == json.loads(texts[3])
    assert answers[0]["Content-Disposition"] == 'inline; filename="Tickhook.yaml"'
    assert answers[3]["Content-Type"] == "application/vnd.oai.openapi+json"


@pytest.mark.django_db
def test_an_unchanged_schema_is_not_sent_again(client: Client) -> None:
    etag = client.get("/api/schema")["ETag"]

    answer = client.get("/api/schema", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.django_db
def test_the_docs_load_files_only_from_this_site(client: Client) -> None:
    page = client.get("/api/docs").content.decode()

    links = LINKS.findall(page)
    assert len(links) >= 3
    assert "//" not in "".join(links)
    assert not {"cdn.", "unpkg", "jsdelivr"} & set(page.split('"'))
    script = "/api/docs?script="
    assert script in links
    assert client.get(script).headers["Content-Type"] == "application/javascript"
    for link in set(links) - {script}:
        assert finders.find(link.removeprefix("/static/")), link


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_every_list_can_be_browsed(browser: Client, path: str) -> None:
    make_trigger()

    response = browser.get(f"/api/v1/{path}", HTTP_ACCEPT="text/html")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    assert "Log out" in response.content.decode()


@pytest.mark.django_db
def test_one_trigger_can_be_browsed(browser: Client) -> None:
    trigger = make_trigger(name="orders", trigger_type="webhook")

    for path in ("", "/executions"):
        response = browser.get(
            f"/api/v1/triggers/{trigger.pk}{path}", HTTP_ACCEPT="text/html"
        )
        assert response.status_code == 200


@pytest.mark.django_db
def test_a_visitor_without_a_login_sees_a_link_to_it(client: Client) -> None:
    response = client.get("/api/v1/triggers", HTTP_ACCEPT="text/html")

    assert response.status_code == 401
    assert "/api/v1/auth/login/?next=/api/v1/triggers" in response.content.decode()
    assert client.get("/api/v1/auth/login/").status_code == 200


@pytest.mark.django_db
def test_the_address_without_a_slash_redirects_to_the_root(client: Client) -> None:
    response = client.get("/api/v1")

    assert response.status_code == 302
    assert response["Location"] == "/api/v1/"


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("TriggerRequest", ["agent_id", "name", "trigger_type"]),
        ("AgentRequest", ["backend", "name"]),
        ("PatchedTriggerRequest", []),
        ("EmitRequest", ["type"]),
    ],
)
def test_a_request_requires_only_what_must_be_sent(
    name: str, required: list[str]
) -> None:
    schema = document()["components"]["schemas"][name]

    assert schema.get("required", []) == required
    assert not [n for n, s in schema["properties"].items() if s.get("readOnly")]


def test_no_member_has_a_default_that_a_client_would_send() -> None:
    schemas = document()["components"]["schemas"]

    assert [
        (name, member)
        for name, schema in schemas.items()
        for member, described in schema.get("properties", {}).items()
        if "default" in described
    ] == []
    timeout = schemas["AgentRequest"]["properties"]["task_timeout_seconds"]
    assert timeout["description"] == "Defaults to 3600."
    assert "description" not in schemas["PatchedAgentRequest"]["properties"]["kind"]


def test_operations_have_short_names_of_what_they_do() -> None:
    names = {operation["operationId"]: path for _, path, operation in operations()}

    assert len(names) == len(list(operations()))
    assert names.keys() >= {
        "agents_create",
        "deliveries_inspectors_create",
        "events_body",
        "schedules_preview",
        "triggers_create",
        "triggers_partial_update",
        "triggers_retrieve",
        "triggers_run",
        "triggers_status",
    }
    assert [
        n for n, path in names.items() if n.endswith("_create") and "{" in path
    ] == []


def test_no_member_is_read_or_written_only() -> None:
    schemas = document()["components"]["schemas"].values()
    members = [m for s in schemas for m in s.get("properties", {}).values()]

    assert len(members) > 100
    assert [m for m in members if m.keys() & {"readOnly", "writeOnly"}] == []


def test_a_choice_that_can_be_null_has_no_type_for_null() -> None:
    schemas = document()["components"]["schemas"]

    assert "NullEnum" not in schemas
    assert schemas["Trigger"]["properties"]["schedule_type"] == {
        "allOf": [{"$ref": "#/components/schemas/ScheduleTypeEnum"}],
        "nullable": True,
    }


def test_the_schema_names_the_public_url_first() -> None:
    servers = document()["servers"]

    assert servers == [{"url": settings.PUBLIC_URL}, {"url": "/"}]


@pytest.mark.django_db
def test_every_path_accepts_options(browser: Client) -> None:
    for path in {path for _, path, _ in operations()}:
        url = PREFIX + PLACE.sub(str(uuid4()), path.replace("{number}", "1"))

        response = browser.options(url)

        assert (url, response.status_code) == (url, 200)
        assert response.json()["name"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/", 200), ("/api/schema", 200), ("/api/docs", 405), ("/api/x", 404)],
)
def test_options_outside_of_the_schema_are_accepted(
    path: str, status: int, browser: Client
) -> None:
    assert browser.options(path).status_code == status


@pytest.mark.django_db
def test_options_of_events_describe_the_emitted_event(browser: Client) -> None:
    response = browser.options("/api/v1/events")

    fields = response.json()["actions"]["POST"]
    assert fields["type"]["required"] is True
    assert "payload" in fields


@pytest.mark.django_db
def test_options_describe_the_request_body(browser: Client) -> None:
    response = browser.options("/api/v1/triggers")

    assert response.status_code == 200
    assert "conditions" in response.json()["actions"]["POST"]
