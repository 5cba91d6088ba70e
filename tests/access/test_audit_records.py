"""Each change of an audited object is one record, with who made it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from access.actors import Actor, ActorKind, acting_as, because, joining_changes
from access.audit.records import audited, record_update
from access.keys import create_key, revoke_key
from access.models import ApiKey, ApiToken, AuditLog, SubjectBinding
from access.tokens import create_token
from agents.models import Agent
from agents.services.agents import delete_agent, save_agent
from common.key_rotation import rotate_keys
from tests.access.audits import (
    SYSTEM,
    actor_of,
    changes_of,
    last_of,
    secrets_of,
    values_of,
)
from tests.access.people import key_client, make_user
from tests.executions.retention.old import counts, days_ago, purge
from tests.factories import make_agent, make_listener, make_trigger
from tests.races import ROUNDS, race
from tests.webhooks.deliveries import deliver
from tests.webhooks.uploads import PARCELS
from triggers.models import Trigger
from triggers.services.claim import claim_due
from triggers.services.lifecycle import (
    delete_trigger,
    disable_trigger,
    enable_trigger,
    update_trigger,
)
from triggers.services.stats import count_failures
from webhooks.models import WebhookEndpoint, WebhookType
from webhooks.types import upload_type
from webhooks.types.upload import delete_type

API = "/api/v1"
ANA = ("user", "ana", "")

pytestmark = pytest.mark.django_db


def make_hook(**fields: object) -> tuple[Trigger, WebhookEndpoint]:
    hook = make_trigger(
        trigger_type="webhook", webhook={"type_slug": "github"}, **fields
    )
    assert hook.endpoint is not None
    return hook, hook.endpoint


def test_a_new_trigger_shows_what_differs_from_the_defaults() -> None:
    agent = make_agent()
    trigger = make_listener(name="Invoices", agent=agent)

    created = last_of(trigger, number=1)

    assert (created.change, created.object_name) == ("created", "Invoices")
    assert actor_of(created) == SYSTEM
    assert values_of(created) == {
        "name": (None, "Invoices"),
        "agent_id": (None, str(agent.pk)),
        "trigger_type": (None, "event"),
        "event_types": (None, ["invoice.*"]),
    }


def test_an_update_shows_old_and_new_values(api: APIClient) -> None:
    trigger = make_listener(name="Invoices")
    body = {"name": "Bills", "task_type": "pay", "event_types": ["*"]}

    answer = api.patch(f"{API}/triggers/{trigger.pk}", body)

    assert answer.status_code == 200, answer.json()

    changed = last_of(trigger, number=2)
    assert (changed.change, changed.object_name) == ("changed", "Bills")
    assert actor_of(changed) == ANA
    assert values_of(changed) == {
        "name": ("Invoices", "Bills"),
        "task_type": ("", "pay"),
        "event_types": (["invoice.*"], ["*"]),
        "version": (1, 2),
    }


def test_a_service_that_a_worker_calls_makes_one_record_too() -> None:
    trigger = make_listener()

    update_trigger(
        trigger_id=trigger.pk, fields={"name": "Bills"}, event_types=["bill.paid"]
    )

    changed = last_of(trigger, number=2)
    assert actor_of(changed) == SYSTEM
    assert set(values_of(changed)) == {"name", "event_types", "version"}


def test_turning_a_trigger_off_and_on_has_its_reason() -> None:
    trigger = make_trigger()

    disable_trigger(trigger_id=trigger.pk)
    disable_trigger(trigger_id=trigger.pk)
    enable_trigger(trigger_id=trigger.pk)

    _, off, on = changes_of(trigger)
    assert off.reason == "by hand"
    assert values_of(off)["is_active"] == (True, False)
    assert on.reason == ""
    assert values_of(on)["is_active"] == (False, True)


def test_a_program_with_a_token_or_key_is_named_by_its_prefix(admin: User) -> None:
    trigger = make_trigger()
    token = create_token(user=admin)
    with_token = APIClient(headers={"Authorization": f"Token {token.text}"})

    with_token.post(f"{API}/triggers/{trigger.pk}/disable")
    key_client(admin, "triggers:write").post(f"{API}/triggers/{trigger.pk}/enable")

    _, off, on = changes_of(trigger)
    assert actor_of(off) == ("key", "ana", token.row.prefix)
    assert actor_of(on) == ("key", "ana", ApiKey.objects.get().prefix)
    assert off.actor_id == on.actor_id == admin.pk


def test_the_admin_acts_for_its_user(client: Client, admin: User) -> None:
    client.force_login(admin)
    trigger = make_trigger()

    client.post(
        reverse("admin:triggers_trigger_changelist"),
        {"action": "disable", "_selected_action": [str(trigger.pk)]},
    )

    disabled = last_of(trigger, number=2)
    assert actor_of(disabled) == ANA
    assert disabled.reason == "by ana"


def test_a_deleted_trigger_is_recorded_once_and_its_purge_is_not(
    settings: Settings,
) -> None:
    settings.HISTORY_RETENTION_DAYS = 90
    hook, endpoint = make_hook(name="Push")

    delete_trigger(trigger_id=hook.pk)
    Trigger.objects.update(deleted_at=days_ago(91))
    assert counts(purge()) == {"triggers": 1}

    deleted = last_of(hook, number=2)
    assert (deleted.change, deleted.object_name) == ("deleted", "Push")
    assert values_of(deleted)["name"] == ("Push", None)
    closed = last_of(endpoint, number=2)
    assert (closed.change, closed.reason) == ("changed", "no trigger uses it")
    assert values_of(closed) == {"is_active": (True, False)}


def test_auto_disable_is_recorded_with_its_reason() -> None:
    trigger = make_trigger(failure_threshold=3)

    count_failures(trigger.pk, failures=2)
    count_failures(trigger.pk, failures=1)

    disabled = last_of(trigger, number=2)
    reason = "auto-disabled after 3 consecutive failures"
    assert (actor_of(disabled), disabled.reason) == (SYSTEM, reason)
    assert values_of(disabled) == {
        "is_active": (True, False),
        "disabled_reason": ("", reason),
        "version": (1, 2),
    }


def test_a_schedule_that_cannot_be_computed_is_recorded() -> None:
    trigger = make_trigger(
        trigger_type="cron", schedule_type="cron", cron_expression="* * * * *"
    )
    Trigger.objects.update(cron_expression="broken", next_run_time=timezone.now())

    claim_due(now=timezone.now() + timedelta(minutes=2))

    disabled = last_of(trigger, number=2)
    assert disabled.reason.startswith("its next run cannot be computed: ")
    assert values_of(disabled) == {
        "is_active": (True, False),
        "disabled_reason": ("", disabled.reason),
        "version": (1, 2),
    }


def test_a_run_of_the_clock_is_no_change() -> None:
    trigger = make_trigger(
        trigger_type="cron",
        schedule_type="interval",
        schedule_config={"interval_seconds": 60},
    )

    assert claim_due(now=timezone.now() + timedelta(seconds=90)) == 1
    trigger.refresh_from_db()
    trigger.next_run_time = trigger.active_since = None
    trigger.save(update_fields=("next_run_time", "active_since"))
    trigger.save()

    assert len(changes_of(trigger)) == 1


def test_rotated_and_revoked_secrets_are_recorded_without_values(
    api: APIClient,
) -> None:
    hook, endpoint = make_hook()
    url = f"{API}/triggers/{hook.pk}"

    assert api.post(f"{url}/rotate-secret", {}).status_code == 200
    assert api.post(f"{url}/revoke-secret", {"which": "previous"}).status_code == 200
    assert api.post(f"{url}/regenerate-webhook", {}).status_code == 200

    created, *changes = changes_of(endpoint)
    assert secrets_of(created) == {"webhook_id", "secrets"}
    assert [(c.reason, secrets_of(c), values_of(c)) for c in changes] == [
        ("secret rotated", {"secrets"}, {}),
        ("previous secret revoked", {"secrets"}, {}),
        ("URL replaced", {"webhook_id"}, {}),
    ]
    assert {actor_of(c) for c in changes} == {ANA}


def test_keys_that_encrypt_secrets_can_be_rotated_without_a_record(
    settings: Settings,
) -> None:
    agent = make_agent(config={"token": "canary"})
    before = AuditLog.objects.count()

    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, *settings.FIELD_ENCRYPTION_KEYS]
    assert sum(report.rotated for report in rotate_keys()) > 0
    same = Agent.objects.get(pk=agent.pk)
    same.save(update_fields=["config"])

    assert AuditLog.objects.count() == before


def test_an_agent_is_recorded_with_its_groups(client: Client, admin: User) -> None:
    client.force_login(admin)
    agent = make_agent(name="Reporter", backend="celery")
    old, new = (Group.objects.create(name=name) for name in ("Old", "New"))
    agent.groups.add(old)
    form = {"name": "Writer", "kind": "agent", "is_active": "on", "backend": "celery"}
    config = {"task": "agents.tasks.echo"}
    form |= {"task_timeout_seconds": "60", "new_config": json.dumps(config)}

    url = reverse("admin:agents_agent_change", args=[agent.pk])
    assert client.post(url, {**form, "groups": [new.pk]}).status_code == 302

    changed = last_of(agent, number=3)
    assert actor_of(changed) == ANA
    assert secrets_of(changed) == {"config"}
    assert values_of(changed) == {
        "name": ("Reporter", "Writer"),
        "task_timeout_seconds": (3600, 60),
        "groups": (["Old"], ["New"]),
    }


def test_a_deleted_agent_shows_what_it_was(api: APIClient) -> None:
    agent = make_agent(name="Reporter", config={"token": "x"})

    assert api.delete(f"{API}/agents/{agent.pk}").status_code == 204

    deleted = last_of(agent, number=2)
    assert (deleted.change, actor_of(deleted)) == ("deleted", ANA)
    assert values_of(deleted) == {
        "name": ("Reporter", None),
        "backend": ("memory", None),
    }
    assert secrets_of(deleted) == {"config"}


def test_uploaded_types_are_recorded_with_their_version() -> None:
    upload_type(document=PARCELS)
    upload_type(document={**PARCELS, "name": "More parcels"})
    upload_type(document={**PARCELS, "name": "More parcels"})
    row = WebhookType.objects.get(pk="parcels")
    delete_type(slug="parcels")

    changes = changes_of(row)

    assert [(c.change, c.reason) for c in changes] == [
        ("created", "version 1"),
        ("changed", "version 2"),
        ("deleted", ""),
    ]


def test_tokens_and_keys_are_recorded(admin: User) -> None:
    token = create_token(user=admin).row
    key = create_key(owner=admin, name="shop", scopes=["events:write"]).row

    revoke_key(key)
    revoke_key(key)
    ApiToken.objects.get(pk=token.pk).delete()

    created, deleted = changes_of(token)
    assert values_of(created) == {
        "prefix": (None, token.prefix),
        "user_id": (None, admin.pk),
    }
    assert deleted.change == "deleted"
    revoked = last_of(key, number=2)
    assert (revoked.reason, list(values_of(revoked))) == ("revoked", ["revoked_at"])


def test_the_use_of_a_key_is_no_change(admin: User) -> None:
    assert key_client(admin, "agents:read").get(f"{API}/agents").status_code == 200

    key = ApiKey.objects.get()
    assert key.last_used_at is not None
    assert len(changes_of(key)) == 1


def test_a_subject_of_a_user_is_recorded(admin: User) -> None:
    binding = SubjectBinding.objects.create(user=admin, subject="acme")
    binding.subject = "other"
    binding.save(update_fields=["subject"])

    changed = last_of(binding, number=2)

    assert values_of(changed) == {"subject": ("acme", "other")}
    assert (changed.object_id, changed.object_name) == (str(admin.pk), "ana: other")


def test_groups_of_a_user_are_one_record_of_a_form(client: Client, admin: User) -> None:
    client.force_login(admin)
    ben = make_user("Editor")
    form = {"username": "ben", "is_active": "on", "is_staff": "on"}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    binding = {f"subject_binding-{n}": "0" for n in ("TOTAL_FORMS", "INITIAL_FORMS")}

    url = reverse("admin:auth_user_change", args=[ben.pk])
    viewer = Group.objects.get(name="Viewer")
    answer = client.post(url, {**form, **binding, "groups": [viewer.pk]})

    assert answer.status_code == 302
    changed = last_of(ben, number=3)
    assert actor_of(changed) == ANA
    assert values_of(changed) == {
        "username": (ben.username, "ben"),
        "groups": (["Editor"], ["Viewer"]),
    }


def test_members_of_a_group_are_recorded_from_both_sides() -> None:
    ben, group = make_user(), Group.objects.create(name="Writers")

    group.user_set.add(ben)
    group.user_set.clear()
    ben.groups.set([group])
    group.delete()

    lists = [values_of(change).get("groups") for change in changes_of(ben)[1:]]
    assert lists == [([], ["Writers"]), (["Writers"], [])] * 2


def test_the_permissions_of_a_role_are_recorded() -> None:
    role = Group.objects.create(name="Writers")
    codenames = ["view_agent", "view_auditlog"]
    permissions = Permission.objects.filter(codename__in=codenames)

    role.permissions.set(permissions)

    changed = last_of(role, number=2)
    names = ["access.view_auditlog", "agents.view_agent"]
    assert values_of(changed) == {"permissions": ([], names)}


def test_a_login_is_no_change_even_if_it_stores_a_stronger_hash(
    client: Client, admin: User, settings: Settings
) -> None:
    [md5] = settings.PASSWORD_HASHERS
    pbkdf2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    settings.PASSWORD_HASHERS = [md5, pbkdf2]
    User.objects.update(password=make_password("secret", hasher="pbkdf2_sha256"))
    form = {"username": "ana", "password": "secret"}

    assert client.post(reverse("admin:login"), form).status_code == 302

    admin.refresh_from_db()
    assert admin.last_login is not None
    assert not admin.password.startswith("pbkdf2")
    assert len(changes_of(admin)) == 1


def test_a_new_password_is_recorded_without_its_hash(admin: User) -> None:
    admin.set_password("another")
    admin.save(update_fields=["password"])

    changed = last_of(admin, number=2)

    assert (secrets_of(changed), values_of(changed)) == ({"password"}, {})


def save_and_fail(agent: Agent, **fields: Any) -> None:
    with transaction.atomic():
        save_agent(agent, **fields)
        raise ValueError("no")


def test_a_record_is_rolled_back_with_its_change() -> None:
    agent = make_agent()

    with pytest.raises(ValueError, match="no"):
        save_and_fail(agent, name="Writer")

    assert len(changes_of(agent)) == 1


def test_changes_after_a_rollback_in_one_block_are_recorded() -> None:
    agent = make_agent(name="first")

    with joining_changes():
        with pytest.raises(ValueError, match="no"):
            save_and_fail(agent, name="second")
        save_agent(agent, name="third")
        save_agent(agent, task_timeout_seconds=60)

    assert values_of(last_of(agent, number=2)) == {
        "name": ("first", "third"),
        "task_timeout_seconds": (3600, 60),
    }


def test_a_change_that_is_undone_in_one_block_shows_nothing_of_it() -> None:
    agent = make_agent(name="first")

    with joining_changes():
        save_agent(agent, name="second", task_timeout_seconds=60)
        save_agent(agent, name="first")

    changed = last_of(agent, number=2)
    assert values_of(changed) == {"task_timeout_seconds": (3600, 60)}


def test_an_object_that_is_changed_and_deleted_in_one_block_has_both_records() -> None:
    agent = make_agent(name="first")

    with joining_changes():
        save_agent(agent, name="second")
        delete_agent(agent_id=agent.pk)

    assert [c.change for c in changes_of(agent)] == ["created", "changed", "deleted"]


def test_a_statement_is_recorded_by_the_values_that_it_replaced() -> None:
    agent = make_agent(name="first")
    Agent.objects.update(name="second")

    with because("renamed"), acting_as(Actor(kind=ActorKind.COMMAND, name="rename")):
        record_update(Agent, agent.pk, old={"name": "first"})
        record_update(Agent, agent.pk, old={})

    changed = last_of(agent, number=2)
    assert values_of(changed) == {"name": ("first", "second")}
    assert (changed.reason, actor_of(changed)) == ("renamed", ("command", "rename", ""))


def test_stale_and_deferred_columns_do_not_change_a_record() -> None:
    agent = make_agent(name="first")
    stale = Agent.objects.only("name").get(pk=agent.pk)
    Agent.objects.update(task_timeout_seconds=60)
    agent.task_timeout_seconds, stale.name = 7, "second"

    stale.save(update_fields=["name"])
    agent.save(update_fields=["kind"])

    assert values_of(last_of(agent, number=2)) == {"name": ("first", "second")}


def test_history_does_not_keep_what_it_names() -> None:
    agent, ben = make_agent(), make_user()
    trigger = make_trigger(agent=agent)
    create_token(user=ben)
    with acting_as(Actor(kind=ActorKind.USER, name=ben.username, user_id=ben.pk)):
        disable_trigger(trigger_id=trigger.pk)

    Trigger.objects.filter(pk=trigger.pk).delete()
    agent.delete()
    ben.delete()

    _, disabled, deleted = changes_of(trigger)
    assert (disabled.actor, deleted.change) == (ben.username, "deleted")


def test_no_foreign_key_of_a_history_table_is_checked_by_the_database() -> None:
    tables = [records.history_model._meta.db_table for records in audited.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            [tables],
        )
        assert cursor.fetchone() == (0,)


def test_every_audited_model_is_in_the_log() -> None:
    kinds = {records.kind for records in audited.values()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_viewdef('access_auditlog'::regclass)")
        [definition] = cursor.fetchone() or [""]

    assert {kind for kind in kinds if f"'{kind}'::text" in definition} == kinds
    assert kinds == {
        "agent", "api_key", "api_token", "role", "subject_binding", "trigger", "user",
        "webhook", "webhook_type",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_each_record_starts_where_the_other_ends() -> None:
    agent = make_agent(task_timeout_seconds=1)

    def double() -> None:
        with transaction.atomic():
            row = Agent.objects.select_for_update().get(pk=agent.pk)
            row.task_timeout_seconds *= 2
            row.save(update_fields=["task_timeout_seconds"])

    for _ in range(ROUNDS):
        Agent.objects.filter(pk=agent.pk).update(task_timeout_seconds=1)
        known = AuditLog.objects.count()
        race(double, threads=4)
        changes = changes_of(agent)[-4:]
        assert AuditLog.objects.count() == known + 4
        pairs = sorted(values_of(c)["task_timeout_seconds"] for c in changes)
        assert pairs == [(1, 2), (2, 4), (4, 8), (8, 16)]


def test_a_delivery_is_no_change() -> None:
    _, endpoint = make_hook()
    before = AuditLog.objects.count()

    assert deliver(endpoint).status_code == 401

    assert AuditLog.objects.count() == before
