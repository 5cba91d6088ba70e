from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from access.actors import Actor, ActorKind, acting_as
from access.models import AuditLog
from access.tokens import create_token
from tests.access.people import client_of, key_client, make_user
from tests.access.test_no_plain_secrets import found_in_tables, make_hook
from tests.factories import make_agent, make_trigger
from triggers.services.lifecycle import delete_trigger, update_trigger

LOG = "/api/v1/audit-log"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def read(api: APIClient, **query: str) -> list[dict[str, Any]]:
    answer = api.get(LOG, query)
    assert answer.status_code == 200, answer.json()
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def names_of(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['object_name']} {row['change']}" for row in rows]


def test_a_change_says_who_what_when_and_why(api: APIClient, admin: User) -> None:
    trigger = make_trigger(name="nightly")
    with time_machine.travel(NOON + timedelta(days=400), tick=False):
        api.post(f"/api/v1/triggers/{trigger.pk}/disable")
        [row, *_] = read(api)

    assert row == {
        "id": str(AuditLog.objects.all()[0].pk),
        "at": "2027-04-05T12:00:00Z",
        "object_type": "trigger",
        "object_id": str(trigger.pk),
        "object_name": "nightly",
        "change": "changed",
        "actor_kind": "user",
        "actor_id": admin.pk,
        "actor": "ana",
        "key_prefix": "",
        "reason": "by hand",
        "changes": [
            {"field": "is_active", "old": True, "new": False, "is_secret": False},
            {
                "field": "disabled_reason",
                "old": "",
                "new": "by hand",
                "is_secret": False,
            },
            {"field": "version", "old": 1, "new": 2, "is_secret": False},
        ],
    }


def test_the_log_is_one_list_of_all_kinds_newest_first(api: APIClient) -> None:
    agent = make_agent(name="Reporter")
    trigger = make_trigger(name="nightly", agent=agent)
    make_agent(name="Writer")
    delete_trigger(trigger_id=trigger.pk)

    assert names_of(read(api)) == [
        "nightly deleted",
        "Writer created",
        "nightly created",
        "Reporter created",
        "ana created",
    ]
    page = api.get(LOG, {"page_size": 2, "page": 2}).json()
    assert names_of(page["results"]) == ["nightly created", "Reporter created"]
    assert (page["total_count"], page["has_next"]) == (5, True)


def test_the_log_can_be_filtered(api: APIClient, admin: User) -> None:
    with time_machine.travel(NOON, tick=False):
        agent = make_agent(name="Reporter")
    with (
        time_machine.travel(NOON + timedelta(days=1), tick=False),
        acting_as(Actor(kind=ActorKind.COMMAND, name="load_demo")),
    ):
        make_agent(name="Writer")
    token = create_token(user=admin)
    program = APIClient(headers={"Authorization": f"Token {token.text}"})
    program.patch(f"/api/v1/agents/{agent.pk}", {"is_active": False})

    def found(**query: str) -> list[str]:
        return names_of(read(api, **query))

    assert found(object_type="agent", object_id=str(agent.pk)) == [
        "Reporter changed",
        "Reporter created",
    ]
    assert found(actor="load_demo") == ["Writer created"]
    assert found(actor="ana") == found(actor=token.row.prefix) == ["Reporter changed"]
    assert found(start_date="2026-03-01", end_date="2026-03-01") == ["Reporter created"]
    assert found(object_type="agent", start_date="2026-03-02T12:00:00Z")[-1] == (
        "Writer created"
    )
    assert found(actor="ana", object_type="user") == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (
            {"object_type": "triger"},
            {
                "pointer": "/object_type",
                "detail": "Must be one of: agent, api_key, api_token, role, "
                "subject_binding, trigger, user, webhook, webhook_type.",
            },
        ),
        (
            {"start_date": "yesterday"},
            {"pointer": "/start_date", "detail": "Enter a valid date/time."},
        ),
        (
            {"actor": ""},
            {
                "pointer": "/actor",
                "detail": "actor is empty. Give it a value or leave it out.",
            },
        ),
        (
            {"user": "ana"},
            {
                "pointer": "/user",
                "detail": "Unknown query parameter 'user'. Known are: actor, end_date, "
                "object_id, object_type, page, page_size, start_date.",
            },
        ),
    ],
)
def test_a_bad_filter_is_refused(
    api: APIClient, query: dict[str, str], fault: dict[str, str]
) -> None:
    answer = api.get(LOG, query)

    assert answer.status_code == 400
    assert answer.json()["errors"] == [fault]


def test_a_page_of_any_length_takes_two_queries(api: APIClient) -> None:
    trigger = make_trigger()
    counts = []
    for total in (1, 50):
        for number in range(total):
            update_trigger(trigger_id=trigger.pk, fields={"description": str(number)})
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rows = read(api, object_type="trigger", page_size=str(total))
        assert len(rows) == total
        counts.append(len(queries))

    assert counts == [2, 2]


def test_reading_the_log_needs_its_permission() -> None:
    editor, administrator = make_user("Editor"), make_user("Admin")

    assert client_of(editor).get(LOG).status_code == 403
    assert client_of(administrator).get(LOG).status_code == 200
    assert key_client(administrator, "system:read").get(LOG).status_code == 200
    assert key_client(administrator, "triggers:read").get(LOG).status_code == 403
    assert APIClient().get(LOG).status_code == 401


def test_a_bound_caller_sees_only_changes_of_its_subject() -> None:
    bound = client_of(make_user("Admin", subject="acme"))
    own = make_trigger(name="own", subject="acme")
    make_trigger(name="other", subject="other")
    moved = make_trigger(
        name="moved", subject="other", trigger_type="webhook", webhook={}
    )
    make_agent()
    update_trigger(trigger_id=moved.pk, fields={"subject": "acme"})
    update_trigger(trigger_id=moved.pk, fields={"description": "now ours"})
    update_trigger(trigger_id=own.pk, fields={"subject": "other"})

    assert names_of(read(bound)) == ["moved changed", "own created"]
    assert names_of(read(bound, object_type="agent")) == []
    assert "other" not in str(read(bound))


def test_no_secret_is_in_the_log_or_a_history_table(
    api: APIClient, client: Client, admin: User
) -> None:
    hook = make_hook(api, "github", secret="canary-first")  # noqa: S106
    url = f"/api/v1/triggers/{hook['id']}"
    api.post(f"{url}/rotate-secret", {"secret": "canary-second"})
    api.patch(url, {"webhook_config": {"api_key": "canary-third"}})
    token = create_token(user=admin)
    admin.set_password("canary-password")
    admin.save()
    webhook_id = hook["webhook_url"].rpartition("/")[2]

    tables = found_in_tables(
        "canary-first", "canary-second", "canary-third", "canary-agent",
        "canary-password", admin.password, token.text, token.row.digest, webhook_id,
    )  # fmt: skip

    assert not [found for found in tables if "historical" in found[0]]
    client.force_login(admin)
    page = client.get(reverse("admin:access_auditlog_changelist")).content.decode()
    assert "canary" not in page + api.get(LOG).content.decode()
    assert "secret rotated" in page
