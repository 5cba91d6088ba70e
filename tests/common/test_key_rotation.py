from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from pytest_django.fixtures import Settings

from agents.models import Agent
from common import key_rotation
from common.fields import UndecryptableValue
from common.key_rotation import Column, encrypted_columns, rotate_keys
from tests.factories import make_agent
from tests.races import ROUNDS, race_all
from webhooks.endpoints.lifecycle import create_endpoint
from webhooks.endpoints.rotation import rotate_secret
from webhooks.endpoints.secrets import live_secrets
from webhooks.models import WebhookEndpoint

pytestmark = pytest.mark.django_db

NEW_KEY = Fernet.generate_key().decode()
SECRET = "a secret from before the rotation"  # noqa: S105 - made up for the tests


@pytest.fixture
def keys(settings: Settings) -> Settings:
    """Use two keys, the new one first; existing rows have the old one."""
    make_agent(config={"token": "t"})
    create_endpoint(config={"secret": SECRET, "chat": 1})
    settings.FIELD_ENCRYPTION_KEYS = [NEW_KEY, *settings.FIELD_ENCRYPTION_KEYS]
    return settings


def counts() -> dict[str, tuple[int, int, int]]:
    reports = rotate_keys()
    return {r.column: (r.rows, r.old, r.rotated) for r in reports}


def run(*options: str) -> str:
    written = StringIO()
    call_command("rotate_encryption_keys", *options, stdout=written)
    return written.getvalue()


def test_all_encrypted_columns_are_found() -> None:
    assert {
        "agents.Agent.config",
        "webhooks.WebhookEndpoint.config",
        "webhooks.WebhookEndpoint.secrets",
    } <= {str(column) for column in encrypted_columns()}


def test_after_a_rotation_the_old_key_can_be_removed(keys: Settings) -> None:
    before = WebhookEndpoint.objects.get()

    found = counts()

    keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY]
    endpoint = WebhookEndpoint.objects.get()
    assert found["agents.Agent.config"] == (1, 1, 1)
    assert found["webhooks.WebhookEndpoint.config"] == (1, 1, 1)
    assert found["webhooks.WebhookEndpoint.secrets"] == (1, 1, 1)
    assert live_secrets(endpoint) == [SECRET]
    assert endpoint.config == {"chat": 1}
    assert endpoint.updated_at == before.updated_at
    assert Agent.objects.get().config == {"token": "t"}


def test_a_second_run_finds_nothing_to_do(keys: Settings) -> None:
    counts()

    assert counts()["webhooks.WebhookEndpoint.secrets"] == (1, 0, 0)


def test_a_dry_run_changes_nothing_and_says_what_is_left(keys: Settings) -> None:
    first, again = run("--dry-run"), run("--dry-run")

    assert "agents.Agent.config: 1 rows, 1 by an older key, 0 re-encrypted" in first
    assert "3 rows may still need an older key" in first
    assert again == first
    run()
    assert "all keys but the first can be removed" in run("--dry-run")
    keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY]
    assert live_secrets(WebhookEndpoint.objects.get()) == [SECRET]


def test_a_value_that_no_key_decrypts_is_reported_and_unchanged(keys: Settings) -> None:
    agent = Agent.objects.get()
    keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY]
    written = StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("rotate_encryption_keys", "--json", stdout=written)

    answer = json.loads(written.getvalue())
    [column] = [c for c in answer["columns"] if c["column"] == "agents.Agent.config"]
    assert end.value.code == 1
    assert column["undecryptable"] == [str(agent.pk)]
    assert (column["old"], column["rotated"], answer["left"]) == (0, 0, 0)
    with pytest.raises(UndecryptableValue):
        agent.refresh_from_db()


def test_rows_are_read_in_batches(
    keys: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.FIELD_ENCRYPTION_KEYS = keys.FIELD_ENCRYPTION_KEYS[1:]
    Agent.objects.bulk_create(Agent(name=f"a{n}", config={"n": n}) for n in range(6))
    keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY, *keys.FIELD_ENCRYPTION_KEYS]
    monkeypatch.setattr(key_rotation, "BATCH_SIZE", 2)

    found = counts()

    assert found["agents.Agent.config"] == (7, 7, 7)


def change_secret(endpoint: WebhookEndpoint) -> None:
    rotate_secret(endpoint_id=endpoint.pk, secret="written meanwhile, by the way")  # noqa: S106 - made up


def test_a_row_that_changes_during_the_rotation_is_not_overwritten(
    keys: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = WebhookEndpoint.objects.get()
    replace = Column.replace

    def changed_before(column: Column, row: Any, ciphertext: bytes) -> bool:
        if column.name == "secrets":
            change_secret(endpoint)
        return replace(column, row, ciphertext)

    monkeypatch.setattr(Column, "replace", changed_before)

    assert counts()["webhooks.WebhookEndpoint.secrets"] == (1, 1, 0)
    endpoint.refresh_from_db()
    assert live_secrets(endpoint)[0] == "written meanwhile, by the way"


@pytest.mark.django_db(transaction=True)
def test_no_change_is_lost_during_rotations(keys: Settings) -> None:
    old = keys.FIELD_ENCRYPTION_KEYS[1]
    for number in range(ROUNDS):
        keys.FIELD_ENCRYPTION_KEYS = [old]
        endpoints = [create_endpoint(config={"n": -1}).endpoint for _ in range(6)]
        keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY, old]
        writes = [partial(write, endpoint, number) for endpoint in endpoints]
        acts: list[Callable[[], object]] = [rotate_keys, rotate_keys, *writes]

        race_all(acts)

        rotate_keys()
        keys.FIELD_ENCRYPTION_KEYS = [NEW_KEY]
        chosen = WebhookEndpoint.objects.filter(pk__in=[e.pk for e in endpoints])
        assert [e.config for e in chosen] == [{"n": number}] * 6


def write(endpoint: WebhookEndpoint, number: int) -> None:
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(config={"n": number})
