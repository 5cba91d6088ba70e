from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from access.keys import create_key, revoke_key
from access.models import ApiKey, SubjectBinding
from access.policy import SCOPES
from access.roles import EDITOR, VIEWER
from common.errors import InvalidInput
from tests.access.people import client_of, key_client, make_user
from tests.factories import make_trigger

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/keys"
TRIGGERS = "/api/v1/triggers"


def with_key(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_a_key_is_shown_once_and_stored_as_a_digest() -> None:
    client = client_of(make_user(VIEWER))
    body = {"name": "report", "scopes": ["triggers:read"]}

    made = client.post(KEYS, body)
    listed = client.get(KEYS).json()["results"]

    text = made.json()["key"]
    assert made.status_code == 201
    assert made["Location"].endswith(f"{KEYS}/{made.json()['id']}")
    assert re.fullmatch(r"th_[0-9a-f]{40}", text)
    assert text.startswith(made.json()["prefix"])
    assert "key" not in listed[0]
    assert text not in str(ApiKey.objects.values())
    assert with_key(text).get(TRIGGERS).status_code == 200


def test_a_key_does_what_its_scopes_name() -> None:
    trigger = make_trigger()
    client = key_client(make_user(EDITOR), "triggers:read", "triggers:run")

    seen = client.get(f"{TRIGGERS}/{trigger.pk}")
    started = client.post(f"{TRIGGERS}/{trigger.pk}/run", {})
    changed = client.patch(f"{TRIGGERS}/{trigger.pk}", {"description": "x"})

    assert (seen.status_code, started.status_code) == (200, 202)
    assert changed.status_code == 403
    assert changed.json()["detail"] == "The API key lacks the scope triggers:write."


def test_a_key_never_does_more_than_its_owner() -> None:
    trigger, owner = make_trigger(), make_user(EDITOR)
    client = key_client(owner, *SCOPES)
    url = f"{TRIGGERS}/{trigger.pk}"

    before = client.patch(url, {"description": "x"})
    owner.groups.clear()
    after = client.patch(url, {"description": "y"})

    assert before.status_code == 200
    assert after.status_code == 403
    assert "triggers.change_trigger" in after.json()["detail"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"revoked_at": timezone.now()}, "The API key is not valid"),
        ({"expires_at": timezone.now()}, "The API key has expired"),
    ],
)
def test_a_key_that_has_ended_is_refused(change: dict[str, Any], detail: str) -> None:
    key = create_key(owner=make_user(VIEWER), name="x", scopes=["triggers:read"])
    ApiKey.objects.update(**change)

    answer = with_key(key.text).get(TRIGGERS)

    assert answer.status_code == 401
    assert answer.json()["detail"] == detail


def test_the_keys_of_an_inactive_owner_are_refused() -> None:
    owner = make_user(VIEWER)
    client = key_client(owner, "triggers:read")
    User.objects.filter(pk=owner.pk).update(is_active=False)

    assert client.get(TRIGGERS).status_code == 401


@pytest.mark.parametrize("text", ["th_", "th_" + "0" * 40, "nonsense", "th_é"])
def test_an_unknown_key_is_refused(text: str) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}".encode("latin-1"))

    assert client.get(TRIGGERS).status_code == 401


def test_keys_cannot_be_managed_with_a_key() -> None:
    owner = make_user(VIEWER)
    client = key_client(owner, *SCOPES)
    mine = ApiKey.objects.get()

    answers = [
        client.get(KEYS),
        client.post(KEYS, {"name": "x", "scopes": ["triggers:read"]}),
        client.delete(f"{KEYS}/{mine.pk}"),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert ApiKey.objects.get().revoked_at is None


def test_only_administrators_see_and_revoke_the_keys_of_others(admin: User) -> None:
    key = create_key(owner=admin, name="x", scopes=["triggers:read"]).row
    other = client_of(make_user(EDITOR))

    listed = other.get(KEYS).json()["results"]
    refused = other.delete(f"{KEYS}/{key.pk}")
    revoked = client_of(make_user("Admin")).delete(f"{KEYS}/{key.pk}")

    assert listed == []
    assert refused.status_code == 404
    assert revoked.status_code == 204
    assert ApiKey.objects.get().revoked_at is not None


def test_a_revoked_key_is_not_listed() -> None:
    user = make_user(VIEWER)
    key = create_key(owner=user, name="x", scopes=["triggers:read"])

    revoke_key(key.row)

    assert client_of(user).get(KEYS).json()["results"] == []
    assert client_of(user).delete(f"{KEYS}/{key.row.pk}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["triggers:fly"]}, "/scopes/0"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": ""}, "/name"),
        ({"subject": "x" * 256}, "/subject"),
        ({"owner": "someone"}, "/owner"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], pointer: str) -> None:
    client = client_of(make_user(VIEWER))

    answer = client.post(KEYS, {"name": "x", "scopes": ["triggers:read"], **fields})

    if pointer != "/owner":  # read-only fields are ignored
        assert answer.status_code == 400
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
    assert not ApiKey.objects.exclude(owner__username__startswith="user-").exists()


def test_a_bound_user_makes_keys_of_the_same_subject() -> None:
    client = client_of(make_user(VIEWER, subject="acme"))
    body = {"name": "x", "scopes": ["triggers:read"]}

    filled = client.post(KEYS, body)
    refused = client.post(KEYS, {**body, "subject": "other"})

    assert filled.json()["subject"] == "acme"
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/subject"


def test_a_key_ends_when_its_owner_is_bound_to_another_subject() -> None:
    owner = make_user(VIEWER)
    wide = key_client(owner, "triggers:read")
    narrow = key_client(owner, "triggers:read", subject="acme")
    trigger = make_trigger(subject="acme")
    make_trigger(subject="other")
    SubjectBinding.objects.create(user=owner, subject="other")

    assert narrow.get(TRIGGERS).status_code == 401
    assert wide.get(TRIGGERS).status_code == 401
    SubjectBinding.objects.update(subject="acme")
    assert narrow.get(TRIGGERS).json()["results"][0]["id"] == str(trigger.pk)


def test_use_is_recorded_at_most_once_a_minute(
    django_assert_num_queries: Any,
) -> None:
    client = key_client(make_user(VIEWER), "triggers:read")
    client.get(TRIGGERS)
    first = ApiKey.objects.get().last_used_at
    assert first is not None

    client.get(TRIGGERS)
    second = ApiKey.objects.get().last_used_at
    ApiKey.objects.update(last_used_at=first - timedelta(seconds=61))
    client.get(TRIGGERS)

    assert second == first
    third = ApiKey.objects.get().last_used_at
    assert third is not None
    assert third > first


def test_the_command_prints_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    owner = make_user(VIEWER)

    call_command(
        *("create_api_key", owner.username, "--scope", "triggers:read"),
        *("--subject", "acme", "--expires-days", "30"),
    )

    text = capsys.readouterr().out.strip()
    key = ApiKey.objects.get()
    assert with_key(text).get(TRIGGERS).status_code == 200
    assert (key.owner, key.subject, key.scopes) == (owner, "acme", ["triggers:read"])
    assert key.expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-user", "--scope", "triggers:read"], "There is no user 'no-user'"),
        (["ana", "--scope", "triggers:fly"], "'triggers:fly' is no scope"),
        (["ana"], "Name at least one scope"),
        (["ana", "--scope", "triggers:read", "--expires-days", "-1"], "future"),
        (["ana", "--scope", "triggers:read", "--expires-days", "9" * 9], "too large"),
    ],
)
def test_the_command_names_what_is_wrong(
    admin: User, arguments: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("create_api_key", *arguments)


def test_no_key_is_made_for_an_inactive_user() -> None:
    user = User.objects.create_user("cy", is_active=False)

    with pytest.raises(InvalidInput, match="inactive"):
        create_key(owner=user, name="x", scopes=["triggers:read"])


def test_the_page_shows_a_new_key_once_and_revokes_it(client: Client) -> None:
    user = make_user(VIEWER)
    client.force_login(user)
    body = {"name": "report", "scopes": ["triggers:read"], "subject": ""}

    page = client.post(reverse("admin:access_apikey_add"), body, follow=True)
    [text] = re.findall(r"shown this once: (th_[0-9a-f]{40})", page.content.decode())
    key = ApiKey.objects.get()
    delete = reverse("admin:access_apikey_delete", args=[key.pk])
    works = with_key(text).get(TRIGGERS).status_code
    client.post(delete, {"post": "yes"})

    assert text not in client.get(reverse("admin:access_apikey_changelist")).text
    assert works == 200
    assert with_key(text).get(TRIGGERS).status_code == 401
    assert ApiKey.objects.get().owner == user
