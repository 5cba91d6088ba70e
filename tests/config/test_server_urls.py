"""Passwords with any characters, and URLs that cannot be parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from flower.utils.broker import Broker  # type: ignore[import-untyped]  # has no types

from common import redis as hints
from config.env import broker_url, check_url, databases, read_database, redis_url
from local.embedded.folders import remove_server_folder
from local.embedded.servers import start_valkey
from tests.acceptance.stack import free_port
from tests.servers.pgbouncer import pgbouncer

PASSWORD = "p@ss:w/rd#%?"  # noqa: S105 - of throw-away servers
ENCODED = quote(PASSWORD, safe="")
VARIABLES = {
    "DATABASE_URL": "postgresql",
    "CLOCK_DATABASE_URL": "postgresql",
    "REDIS_URL": "redis",
    "CELERY_BROKER_URL": "amqp",
}


@pytest.fixture
def redis_urls(tmp_path: Path) -> Iterator[list[str]]:
    """A Valkey that requires the password, over TCP and over its socket."""
    server = start_valkey(tmp_path / "valkey")
    port, socket = free_port(), server.url.removeprefix("unix://")
    try:
        with closing(redis.Redis.from_url(server.url)) as client:
            client.config_set("port", port)
            client.config_set("requirepass", PASSWORD)
        yield [
            f"redis://:{ENCODED}@127.0.0.1:{port}/0",
            f"unix://:{ENCODED}@{socket}",
            f"unix://{socket}&password={ENCODED}",
        ]
    finally:
        server.kill()
        remove_server_folder(tmp_path / "valkey")


def test_all_clients_of_redis_read_the_password(
    redis_urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    for url in redis_urls:
        broker = broker_url(url)

        assert hints._client(url, 0).ping()
        with Celery(broker=broker).connection() as connection:
            channel: Any = connection.default_channel
            assert channel.client.ping()
            assert PASSWORD not in connection.as_uri()
            assert ENCODED not in connection.as_uri()
        asyncio.run(Broker(broker).queues(["pipeline"]))


@pytest.mark.django_db
def test_the_database_receives_the_password(tmp_path: Path) -> None:
    with pgbouncer(tmp_path / "pgbouncer", password=PASSWORD) as url:
        assert ENCODED in url
        made = connections.create_connection("default")
        read = read_database("DATABASE_URL", f"{url}?prepare_threshold=none")
        made.settings_dict = {**made.settings_dict, **read}
        with closing(made):
            made.ensure_connection()


def test_rabbitmq_receives_the_password() -> None:
    url = f"amqp://tickhook:{ENCODED}@127.0.0.1:5672//"

    assert Celery(broker=url).connection().password == PASSWORD


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("raw", ["secret/1", "secret#1", "secret?1", "12/secret"])
def test_the_error_for_a_bad_url_does_not_show_its_password(
    variable: str, raw: str
) -> None:
    schemes = (VARIABLES[variable],)

    with pytest.raises(ImproperlyConfigured) as caught:
        check_url(variable, f"{schemes[0]}://user:{raw}@host/name", schemes)

    said = str(caught.value)
    assert said.startswith(f"{variable} cannot be read. Write special characters")
    assert "secret" not in said
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("variable", "url"),
    [(name, f"{scheme}://u:secret/1@host/0") for name, scheme in VARIABLES.items()],
)
def test_the_settings_check_each_url(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, url)

    with pytest.raises(ImproperlyConfigured, match=f"^{variable} cannot be read"):
        databases(), broker_url(redis_url())


def test_other_schemes_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:secret@host/name")

    with pytest.raises(ImproperlyConfigured) as caught:
        databases()

    assert str(caught.value) == (
        "DATABASE_URL must start with postgresql://, postgres:// or pgsql://"
    )


def test_brokers_may_have_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "amqp://one.example;two.example;amqp://three.example:5672"
    monkeypatch.setenv("CELERY_BROKER_URL", url)

    assert broker_url("redis://127.0.0.1") == url
