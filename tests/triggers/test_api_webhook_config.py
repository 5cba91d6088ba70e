"""The config of a webhook is shown with masks, which keep the secrets if sent back."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import AgentFactory
from tests.webhooks.uploads import MINIMAL
from webhooks.endpoints.masking import MASK, masked_config
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint
from webhooks.types import upload_type

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers"
SECRET = "canary-of-this-endpoint"  # noqa: S105 - made up for the test
AUTH = {"type": "header", "name": "X-Api-Key", "value": "canary-auth"}


def create(api: APIClient, name: str = "hook", **fields: Any) -> Any:
    agent_id = str(AgentFactory.create().pk)
    body = {"name": name, "agent_id": agent_id, "trigger_type": "webhook", **fields}
    return api.post(URL, body)


def made(api: APIClient, **config: Any) -> str:
    answer = create(api, webhook_config=config)
    assert answer.status_code == 201, answer.json()
    return f"{URL}/{answer.json()['id']}"


def stored() -> dict[str, Any]:
    endpoint = WebhookEndpoint.objects.get()
    return {**endpoint.config, "secret": live_secrets(endpoint)}


def test_secrets_are_masked(api: APIClient) -> None:
    path = made(api, secret=SECRET, auth=AUTH, region="eu", api_key="canary-key")

    one, many = api.get(path), api.get(URL)

    assert one.json()["webhook_config"] == {
        "auth": {**AUTH, "value": MASK},
        "region": "eu",
        "api_key": MASK,
        "secret": MASK,
    }
    assert b"canary" not in one.content + many.content


def test_a_config_that_is_sent_back_changes_nothing(api: APIClient) -> None:
    path = made(api, secret=SECRET, auth=AUTH, region="eu", keys=["a", {"b": 5}])
    before, shown = stored(), api.get(path).json()

    for method in (api.put, api.patch):
        answer = method(path, {**shown, "webhook_config": shown["webhook_config"]})
        assert answer.status_code == 200, answer.json()
        assert answer.json()["webhook_secret"] is None

    assert stored() == before


def test_a_mask_keeps_its_secret_while_other_keys_change(api: APIClient) -> None:
    path = made(api, secret=SECRET, auth=AUTH, region="eu")
    auth = {**AUTH, "name": "X-Other", "value": MASK}

    api.patch(path, {"webhook_config": {"secret": MASK, "auth": auth, "region": "us"}})

    value = {"auth": {**auth, "value": "canary-auth"}, "region": "us"}
    assert stored() == {**value, "secret": [SECRET]}


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"secret": MASK}, "/secret"),
        ({"auth": {**AUTH, "value": MASK}}, "/auth/value"),
        ({"a": [{"b": MASK}]}, "/a/0/b"),
    ],
)
def test_a_mask_without_a_stored_secret_is_refused(
    api: APIClient, config: dict[str, Any], pointer: str
) -> None:
    (fault,) = create(api, webhook_config=config).json()["errors"]

    assert fault["pointer"] == f"/webhook_config{pointer}"
    assert fault["detail"].startswith("Is the mask of a stored secret")
    assert not WebhookEndpoint.objects.exists()


def test_masks_of_a_list_that_changed_are_refused(api: APIClient) -> None:
    path = made(api, tokens=["canary-1", "canary-2"])

    answer = api.patch(path, {"webhook_config": {"tokens": [MASK]}})

    assert answer.status_code == 400
    assert stored()["tokens"] == ["canary-1", "canary-2"]


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"bot_token": "1:a"}, {"bot_token": MASK}),
        ({"verify_token": "x", "topic": "y"}, {"verify_token": MASK, "topic": "y"}),
        ({"code": "x", "country_code": 49}, {"code": MASK, "country_code": MASK}),
        ({"password": "", "keys": None}, {"password": "", "keys": None}),
        ({"in": {"u": "u", "PassWord": "p"}}, {"in": {"u": "u", "PassWord": MASK}}),
        ({"auth": {"user": "u", "type": "t"}}, {"auth": {"user": MASK, "type": "t"}}),
        ({"hook": "https://u:p@x.example/"}, {"hook": MASK}),
        ({"hook": "https://x.example/?sig=1"}, {"hook": MASK}),
        ({"hook": "https://x.example/a"}, {"hook": "https://x.example/a"}),
        ({"reply": {"reply_markup": {"keyboard": [["a"]]}}}, None),
        ({"filter_events": ["a"], "max_wait_seconds": 5}, None),
    ],
)  # fmt: skip
def test_what_is_secret_shows_in_its_name(
    config: dict[str, Any], shown: dict[str, Any] | None
) -> None:
    assert masked_config(WebhookEndpoint(config=config)) == (shown or config)


def test_the_config_of_an_uploaded_type_is_masked(api: APIClient) -> None:
    matches = [{"query": "code", "config": "code"}]
    upload_type(slug="grid", document={**MINIMAL, "config_matches": matches})
    config = {"code": "canary", "site": "eu"}

    answer = create(api, webhook_type="grid", webhook_config=config)

    assert answer.json()["webhook_config"] == {"code": MASK, "site": "eu"}


def test_other_triggers_have_no_config(api: APIClient) -> None:
    answer = create(api, trigger_type="manual")

    assert answer.json()["webhook_config"] is None
