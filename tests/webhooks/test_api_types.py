from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from events.models import Event
from tests.webhooks.uploads import MINIMAL, PARCELS
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.models import WebhookType, WebhookTypeVersion

pytestmark = pytest.mark.django_db

URL = "/api/v1/webhook-types"


def test_a_type_is_uploaded_read_and_deleted(api: APIClient) -> None:  # R186, R187
    made = api.post(URL, {**MINIMAL, "webhook_type": "Shop"})
    read = api.get(f"{URL}/SHOP")
    deleted = api.delete(f"{URL}/shop")

    whole = {**MINIMAL, "slug": "shop", "name": "shop"}
    body = {"status": "success", "webhook_type": "shop"}
    assert made.status_code == 201
    assert made["Location"] == f"http://testserver{URL}/shop"
    assert made.json() == {**body, "version": 1, "definition": whole}
    assert read.json() == {
        "slug": "shop", "source": "uploaded", "version": 1, "definition": whole,
    }  # fmt: skip
    assert (deleted.status_code, deleted.json()) == (200, body)
    assert api.get(f"{URL}/shop").status_code == 404


def test_put_makes_a_type_and_replaces_it(api: APIClient) -> None:
    made = api.put(f"{URL}/Parcels", PARCELS)
    replaced = api.put(f"{URL}/parcels", {**MINIMAL, "description": "x"})

    assert (made.status_code, replaced.status_code) == (201, 200)
    assert made["Location"] == f"http://testserver{URL}/parcels"
    assert replaced.json()["version"] == 2
    assert replaced.json()["definition"] == {
        **MINIMAL, "slug": "parcels", "name": "parcels", "description": "x",
    }  # fmt: skip


def test_patch_changes_the_given_fields(api: APIClient) -> None:
    api.post(URL, PARCELS)

    answer = api.patch(f"{URL}/parcels", {"description": "x"})

    assert answer.status_code == 200
    assert answer.json()["definition"] == {**PARCELS, "description": "x"}


def test_a_missing_field_is_reported_in_the_required_words(
    api: APIClient,
) -> None:  # R181
    answer = api.post(URL, {"slug": "shop", "json_schema": {}})

    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (
        400,
        "invalid_webhook_type",
    )
    assert body["error_message"] == "Missing required field: parser"
    assert body["errors"] == [
        {"pointer": "/parser", "detail": "Missing required field: parser"}
    ]
    assert not WebhookTypeVersion.objects.exists()


def test_every_fault_is_reported_with_its_pointer(api: APIClient) -> None:
    schema = {"type": "text", "items": {"pattern": 5}}
    document = {**MINIMAL, "slug": "shop", "json_schema": schema, "event_type": [{}]}

    body = api.post(URL, document).json()

    pointers = ["/event_type/0", "/json_schema/items/pattern", "/json_schema/type"]
    assert sorted(fault["pointer"] for fault in body["errors"]) == pointers
    assert all(pointer in body["error_message"] for pointer in pointers)
    assert not WebhookTypeVersion.objects.exists()


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_body_that_is_no_object_is_refused(api: APIClient, body: Any) -> None:
    answer = api.post(URL, body, format="json")

    assert answer.status_code == 400
    assert not WebhookTypeVersion.objects.exists()


@pytest.mark.parametrize(
    ("method", "slug", "cause"),
    [
        ("put", "generic", "generic_type_stays"),
        ("patch", "generic", "generic_type_stays"),
        ("delete", "generic", "generic_type_stays"),
        ("delete", "github", "shipped_type_stays"),
        ("put", "invoice", "webhook_type_slug_taken"),
    ],
)
def test_a_change_of_a_protected_type_is_a_conflict(
    api: APIClient, method: str, slug: str, cause: str
) -> None:
    answer = getattr(api, method)(f"{URL}/{slug}", MINIMAL)

    assert (answer.status_code, answer.json()["error_code"]) == (409, cause)
    assert not WebhookType.objects.exists()


def test_a_type_in_use_is_not_deleted(api: APIClient) -> None:
    api.post(URL, {**MINIMAL, "slug": "shop"})
    endpoint = create_endpoint(type_slug="shop").endpoint

    answer = api.delete(f"{URL}/shop")

    assert (answer.status_code, answer.json()["error_code"]) == (
        409, "webhook_type_in_use",
    )  # fmt: skip
    assert str(endpoint.pk) in answer.json()["detail"]
    assert WebhookType.objects.exists()


@pytest.mark.parametrize("path", ["unknown", "unknown/versions", "unknown/versions/1"])
def test_an_unknown_type_is_not_found(api: APIClient, path: str) -> None:
    answer = api.get(f"{URL}/{path}")

    assert (answer.status_code, answer.json()["error_code"]) == (
        404, "webhook_type_not_found",
    )  # fmt: skip


def test_types_are_listed_in_pages(api: APIClient) -> None:
    api.post(URL, PARCELS)

    page = api.get(URL, {"page_size": 500}).json()
    second = api.get(URL, {"page_size": 1, "page": 2}).json()

    by_slug = {item["slug"]: item for item in page["results"]}
    assert {"generic", "github", "parcels"} <= set(by_slug)
    assert page["total_count"] == len(by_slug)
    assert by_slug["parcels"]["source"] == "uploaded"
    assert by_slug["github"] == {
        "slug": "github", "name": "GitHub", "source": "shipped", "version": None,
        "is_shipped_too": False, "in_use": 0, "updated_at": None,
    }  # fmt: skip
    assert second["results"] == [page["results"][1]]


def test_versions_are_kept_and_can_be_restored(api: APIClient) -> None:
    api.put(f"{URL}/shop", {**MINIMAL, "description": "one"})
    api.put(f"{URL}/shop", {**MINIMAL, "description": "two"})
    api.delete(f"{URL}/shop")

    listed = api.get(f"{URL}/shop/versions").json()
    first = api.get(f"{URL}/shop/versions/1").json()
    back = api.put(f"{URL}/shop", first["definition"])

    assert [item["version"] for item in listed["results"]] == [2, 1]
    assert {item["created_by"] for item in listed["results"]} == {"ana"}
    assert (back.status_code, back.json()["version"]) == (201, 3)
    assert back.json()["definition"] == first["definition"]


def test_a_request_can_be_previewed(api: APIClient) -> None:
    api.post(URL, PARCELS)
    request = {
        "headers": {"X-Parcel-ID": "p-1"},
        "body": {"event_type": "sent", "data": 5},
    }

    body = api.post(f"{URL}/parcels/try", request).json()

    assert body == {
        "webhook_type": "parcels",
        "is_valid": False,
        "parsed_data": {
            "service": "parcels",
            "headers": {"x-parcel-id": "p-1"},
            "query_params": {},
            "body": request["body"],
            "content_type": "application/json",
        },
        "event_type": "parcels.sent",
        "delivery_id": "p-1",
        "body": request["body"],
        "schema_valid": False,
        "schema_errors": [
            {"pointer": "/body/data", "detail": "5 is not of type 'object'"}
        ],
        "config_errors": [
            {
                "pointer": "/webhook_config/api_key",
                "detail": "Parcels requires 'api_key' in webhook_config",
            }
        ],
        "code": {},
    }
    assert not Event.objects.exists()


def test_a_string_is_parsed_by_its_content_type(api: APIClient) -> None:
    request = {
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": "payload=%7B%22a%22%3A1%7D",
    }

    body = api.post(f"{URL}/github/try", request).json()
    broken = api.post(
        f"{URL}/github/try",
        {"headers": {"Content-Type": "application/json"}, "body": "{"},
    )

    assert body["body"] == {"a": 1}
    assert broken.status_code == 400
    assert broken.json()["errors"][0]["pointer"] == "/body"


def test_a_preview_runs_the_code_of_the_type(api: APIClient) -> None:
    parse = (
        "def parse_it(body, webhook_config):\n    return {'key': webhook_config['k']}"
    )
    validate = "def validate_it(body):\n    raise ValueError('no')"
    code = {"custom_parser_code": parse, "validation_code": validate}
    api.post(URL, {**PARCELS, **code})

    body = api.post(f"{URL}/parcels/try", {"body": {}, "config": {"k": "v"}})

    found = body.json()["code"]
    assert (found["parsed"], found["is_valid"]) == ({"key": "v"}, False)
    assert "ValueError" in found["validation_error"]
    assert body.json()["parsed_data"] == {
        "service": "parcels",
        "headers": {},
        "query_params": {},
        "body": {},
        "content_type": "application/json",
        "key": "v",
    }
    assert body.json()["is_valid"] is False


def test_a_preview_of_a_good_request_is_valid(api: APIClient) -> None:
    request = {"headers": {"X-GitHub-Event": "push"}, "body": {"ref": "main"}}

    body = api.post(f"{URL}/github/try", {**request, "config": {}}).json()

    assert (body["webhook_type"], body["is_valid"]) == ("github", True)
    assert body["parsed_data"]["body"] == {"ref": "main"}


@pytest.mark.parametrize(
    ("right", "reads", "uploads"),
    [(None, 403, 403), ("view", 200, 403), ("add", 403, 201)],
)
def test_permissions_limit_reading_and_uploading(
    db: None, right: str | None, reads: int, uploads: int
) -> None:
    user = User.objects.create_user("bo")
    if right:
        codename = f"{right}_webhooktype"
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=user.pk))

    assert client.get(URL).status_code == reads
    assert client.post(f"{URL}/github/try", {}).status_code == reads
    assert client.post(URL, {**MINIMAL, "slug": "shop"}).status_code == uploads
    assert client.delete(f"{URL}/shop").status_code == 403


def test_an_uploaded_type_is_known_to_triggers(api: APIClient) -> None:
    api.post(URL, {**MINIMAL, "slug": "shop"})
    agent = api.post("/api/v1/agents", {"name": "a", "backend": "memory"}).json()
    trigger = {"name": "t", "agent_id": agent["id"], "trigger_type": "event"}

    known = api.post("/api/v1/triggers", {**trigger, "event_types": ["shop.*"]})
    unknown = api.post(
        "/api/v1/triggers", {**trigger, "name": "u", "event_types": ["shopp.*"]}
    )

    assert (known.status_code, unknown.status_code) == (201, 400)


def test_a_trigger_must_have_the_config_that_its_type_requires(api: APIClient) -> None:
    api.post(URL, PARCELS)
    agent = api.post("/api/v1/agents", {"name": "a", "backend": "memory"}).json()
    trigger = {
        "name": "t", "agent_id": agent["id"], "trigger_type": "webhook",
        "webhook_type": "PARCELS",
    }  # fmt: skip

    refused = api.post("/api/v1/triggers", trigger)
    made = api.post("/api/v1/triggers", {**trigger, "webhook_config": {"api_key": "k"}})

    assert refused.status_code == 400
    [fault] = refused.json()["errors"]
    assert fault["pointer"] == "/webhook_config/api_key"
    assert (made.status_code, made.json()["webhook_type"]) == (201, "parcels")
