"""The fields of an endpoint in the API of its triggers."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import AgentFactory, make_trigger
from triggers.models import Trigger
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"


def create(api: APIClient, name: str = "pushes", **fields: Any) -> Any:
    agent_id = str(AgentFactory.create().pk)
    body = {"name": name, "agent_id": agent_id, "trigger_type": "webhook", **fields}
    return api.post(URL, body)


def make(api: APIClient, name: str = "pushes", **fields: Any) -> dict[str, Any]:
    response = create(api, name, **fields)
    assert response.status_code == 201, response.json()
    shown: dict[str, Any] = response.json()
    return shown


def test_a_webhook_trigger_gets_its_own_url(
    api: APIClient, settings: Any
) -> None:  # R23, R243
    settings.PUBLIC_URL = "https://hooks.example"

    shown = make(api)

    endpoint = WebhookEndpoint.objects.get()
    assert (
        shown["webhook_url"] == f"https://hooks.example/webhooks/{endpoint.webhook_id}"
    )
    assert shown["endpoint_id"] == str(endpoint.pk)
    assert shown["webhook_type"] == "generic"
    assert shown["allowed_methods"] == ["POST"]
    assert shown["validation_rules"] == {}
    assert shown["webhook_secret"] is None


def test_fields_of_the_endpoint_are_stored_and_shown(api: APIClient) -> None:
    rules = {"required_headers": ["X-Shop"], "body_format": "json"}

    shown = make(
        api,
        webhook_type="GENERIC",
        allowed_methods=["post", "PUT", "POST"],
        validation_rules=rules,
    )

    assert shown["webhook_type"] == "generic"
    assert shown["allowed_methods"] == ["POST", "PUT"]
    assert shown["validation_rules"] == rules
    assert shown["webhook_config"] == {}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("githb", "'github'"),
        ("GIT", "'gitea' or 'github' or 'gitlab'"),
        ("git hub", "'github'"),
        ("stripe-webhook", "'stripe'"),
        ("amazon sns", "'sns'"),
        ("convoy", "'convoy-b64' or 'convoy-hex'"),
        ("hubspot-v4", "'hubspot-v3' or 'hubspot-v1' or 'hubspot-v2'"),
    ],
)
def test_an_unknown_type_is_refused_with_the_closest(
    api: APIClient, written: str, meant: str
) -> None:
    response = create(api, webhook_type=written)

    assert response.status_code == 400
    (fault,) = response.json()["errors"]
    assert fault["pointer"] == "/webhook_type"
    assert f"did you mean {meant}" in fault["detail"]
    assert not WebhookEndpoint.objects.exists()


def test_a_type_that_resembles_none_is_refused_with_the_way_out(api: APIClient) -> None:
    (fault,) = create(api, webhook_type="no-such-sender").json()["errors"]

    assert fault["detail"] == (
        "There is no webhook type 'no-such-sender'. GET /api/v1/webhook-types lists "
        "all types; 'generic' is for other senders, or upload a type"
    )
    assert not WebhookEndpoint.objects.exists()


def test_a_change_to_an_unknown_type_is_refused(api: APIClient) -> None:
    shown = make(api, webhook_type="github")

    response = api.patch(f"{URL}/{shown['id']}", {"webhook_type": "gitlabb"})

    assert response.status_code == 400
    assert "'gitlab'" in response.json()["errors"][0]["detail"]
    assert WebhookEndpoint.objects.get().type == "github"


def test_an_alias_is_the_newest_version_of_its_sender(api: APIClient) -> None:
    shown = make(api, webhook_type="HubSpot")

    assert shown["webhook_type"] == "hubspot-v3"
    assert shown["webhook_secret"]


def test_a_type_that_is_gone_can_be_sent_back(api: APIClient) -> None:  # R157
    shown = make(api)
    WebhookEndpoint.objects.update(type="gone")

    kept = api.patch(f"{URL}/{shown['id']}", {"webhook_type": "gone"})

    assert (kept.status_code, kept.json()["webhook_type"]) == (200, "generic")


@pytest.mark.parametrize("slug", ["generic", "shop"])
def test_the_config_of_generic_and_uploaded_types_is_free(
    api: APIClient, slug: str
) -> None:  # R195
    upload_type(document={"slug": "shop", "parser": "x", "json_schema": {}})
    config = {"reply": {"ok": True}, "api_key": "k", "filter_events": ["a"]}

    make(api, webhook_type=slug, webhook_config=config)

    assert WebhookEndpoint.objects.get().config == config


def test_a_secret_is_shown_once(api: APIClient) -> None:
    shown = make(api, webhook_type="github")

    secret = shown["webhook_secret"]
    assert live_secrets(WebhookEndpoint.objects.get()) == [secret]
    again = api.get(f"{URL}/{shown['id']}").json()
    listed = api.get(URL).json()["results"][0]
    assert again["webhook_secret"] is None
    assert listed["webhook_secret"] is None
    assert secret not in str(again) + str(listed)


def test_a_changed_secret_is_shown_in_the_response(api: APIClient) -> None:
    shown = make(api, webhook_type="github")
    path = f"{URL}/{shown['id']}"

    chosen = "a-better-secret"
    given = api.patch(path, {"webhook_config": {"secret": chosen}}).json()
    made = api.patch(path, {"webhook_config": {"secret": True}}).json()
    other = api.patch(path, {"description": "new", "webhook_config": {}}).json()

    assert given["webhook_secret"] == chosen
    assert made["webhook_secret"] not in {None, chosen, shown["webhook_secret"]}
    assert other["webhook_secret"] is None
    assert live_secrets(WebhookEndpoint.objects.get()) == [made["webhook_secret"]]


def test_a_type_with_signatures_gets_a_secret(api: APIClient) -> None:
    shown = make(api)

    changed = api.patch(f"{URL}/{shown['id']}", {"webhook_type": "github"}).json()

    assert changed["webhook_type"] == "github"
    assert live_secrets(WebhookEndpoint.objects.get()) == [changed["webhook_secret"]]


def test_put_resets_an_unshared_endpoint_to_defaults(api: APIClient) -> None:
    shown = make(
        api,
        allowed_methods=["PUT"],
        validation_rules={"body_format": "json"},
        webhook_config={"secret": "kept-as-it-was"},
    )
    body = {name: shown[name] for name in ("name", "agent_id", "trigger_type")}

    changed = api.put(f"{URL}/{shown['id']}", body).json()

    assert changed["webhook_url"] == shown["webhook_url"]
    assert changed["allowed_methods"] == ["POST"]
    assert changed["validation_rules"] == {}
    assert live_secrets(WebhookEndpoint.objects.get()) == ["kept-as-it-was"]


def test_triggers_of_one_endpoint_list_each_other(api: APIClient) -> None:
    first = make(api, webhook_type="github")
    second = make(api, "issues", endpoint_id=first["endpoint_id"])

    changed = api.patch(
        f"{URL}/{second['id']}", {"validation_rules": {"body_format": "json"}}
    ).json()

    assert changed["shared_with"] == [first["id"]]
    other = api.get(f"{URL}/{first['id']}").json()
    assert other["shared_with"] == [second["id"]]
    assert other["validation_rules"] == {"body_format": "json"}
    assert second["webhook_url"] == first["webhook_url"]
    assert second["webhook_secret"] is None


def test_put_does_not_reset_a_shared_endpoint(api: APIClient) -> None:
    first = make(api, webhook_type="github", validation_rules={"body_format": "json"})
    second = make(api, "issues", endpoint_id=first["endpoint_id"])
    body = {name: second[name] for name in ("name", "agent_id", "trigger_type")}

    changed = api.put(f"{URL}/{second['id']}", body).json()

    assert changed["webhook_type"] == "github"
    assert changed["validation_rules"] == {"body_format": "json"}


def test_an_endpoint_closes_with_its_last_trigger(api: APIClient) -> None:
    first = make(api)
    second = make(api, "issues", endpoint_id=first["endpoint_id"])

    api.delete(f"{URL}/{first['id']}")
    after_one = WebhookEndpoint.objects.get().is_active
    api.patch(f"{URL}/{second['id']}", {"trigger_type": "manual"})

    assert after_one is True
    assert WebhookEndpoint.objects.get().is_active is False
    assert Trigger.objects.get(pk=second["id"]).endpoint is None


def test_a_closed_endpoint_cannot_be_used(api: APIClient) -> None:
    first = make(api)
    api.delete(f"{URL}/{first['id']}")
    body = {"name": "late", "agent_id": first["agent_id"], "trigger_type": "webhook"}

    response = api.post(URL, {**body, "endpoint_id": first["endpoint_id"]})

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "pointer": "/endpoint_id",
            "detail": f"There is no endpoint {first['endpoint_id']}",
        }
    ]


def test_a_trigger_that_becomes_a_webhook_trigger_gets_an_endpoint(
    api: APIClient,
) -> None:
    trigger = make_trigger()

    changed = api.patch(
        f"{URL}/{trigger.pk}", {"trigger_type": "webhook", "webhook_type": "github"}
    ).json()

    assert changed["webhook_type"] == "github"
    assert changed["webhook_secret"] is not None


def test_a_change_of_trigger_and_endpoint_is_atomic(api: APIClient) -> None:
    make_trigger(name="taken")
    shown = make(api)

    response = api.patch(
        f"{URL}/{shown['id']}", {"name": "taken", "allowed_methods": ["PUT"]}
    )

    assert response.status_code == 409
    assert WebhookEndpoint.objects.get().allowed_methods == ["POST"]
