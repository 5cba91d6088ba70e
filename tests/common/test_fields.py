from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from agents.models import Agent
from common.fields import UndecryptableValue, dump_json
from tests.factories import make_agent, make_task

CONFIG = {"token": "s3cret", "odd": "\x00\ud800"}


def stored_config() -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT config FROM agents_agent")
        return bytes(cursor.fetchone()[0])


@pytest.mark.django_db
def test_a_secret_is_stored_encrypted() -> None:
    agent = make_agent(config=CONFIG)

    assert Agent.objects.get(pk=agent.pk).config == CONFIG
    assert b"s3cret" not in stored_config()


@pytest.mark.django_db
def test_after_a_rotation_old_secrets_are_read_and_new_ones_use_the_new_key(
    settings: LazySettings,
) -> None:
    agent = make_agent(config=CONFIG)
    new_key = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new_key, *settings.FIELD_ENCRYPTION_KEYS]
    assert Agent.objects.get(pk=agent.pk).config == CONFIG

    agent.save(update_fields=["config"])

    assert Fernet(new_key).decrypt(stored_config())


@pytest.mark.django_db
def test_a_secret_without_its_key_is_an_error(
    settings: LazySettings,
) -> None:
    make_agent(config=CONFIG)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(UndecryptableValue, match="FIELD_ENCRYPTION_KEYS"):
        Agent.objects.get()


@pytest.mark.django_db
def test_without_a_key_nothing_is_stored(settings: LazySettings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured):
        make_agent(config=CONFIG)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", [{"s": "\x00 \ud800"}, [2**70, -0.0, None], "text", 1, True]
)
def test_raw_json_stores_values_that_jsonb_rejects(value: object) -> None:
    task = make_task(parameters=dump_json(value))

    assert task.parameters == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_json_is_rejected(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_json(value)
