from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from common.checks import (
    DOTTED_PATHS,
    check_dotted_paths,
    check_encryption_keys,
    check_pooler,
    check_public_url,
    check_trusted_proxies,
)
from config.env import read_database
from tests.servers.pgbouncer import pgbouncer


def test_the_shipped_settings_name_what_can_be_imported() -> None:
    assert check_dotted_paths() == []


@pytest.mark.parametrize("name", DOTTED_PATHS)
def test_a_path_that_cannot_be_imported_is_an_error(
    settings: Settings, name: str
) -> None:
    setattr(settings, name, "executions.nowhere.drain")

    [error] = check_dotted_paths()

    assert error.id == "common.E001"
    assert error.msg.startswith(f"{name} names 'executions.nowhere.drain'")


def test_a_missing_encryption_key_is_an_error(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []

    [error] = check_encryption_keys()

    assert error.id == "common.E002"


@pytest.mark.django_db(transaction=True)
def test_a_pooler_that_mixes_up_statements_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_pooler(databases=["default"]) == []
    connection.close()

    with pgbouncer(tmp_path / "pgbouncer") as url:
        pooled = read_database("DATABASE_URL", url)
        for name in ("HOST", "PORT"):
            monkeypatch.setitem(connection.settings_dict, name, pooled[name])
        [error] = check_pooler(databases=["default"])

    assert error.id == "common.E010"
    assert connection.connection is None


def test_a_public_url_without_tls_is_a_warning_of_the_deployment_check(
    settings: Settings,
) -> None:
    settings.PUBLIC_URL = "http://hooks.example.test"
    [warning] = check_public_url()
    settings.PUBLIC_URL = "https://hooks.example.test"

    assert warning.id == "common.W001"
    assert check_public_url() == []


def test_an_undeclared_proxy_that_ends_tls_is_a_warning(
    settings: Settings,
) -> None:
    settings.PUBLIC_URL = "https://hooks.example.test"
    settings.TRUSTED_PROXIES = []

    [warning] = check_trusted_proxies()

    assert warning.id == "common.W002"
    assert warning.msg.endswith("but TRUSTED_PROXIES is empty")
    assert "HTTPS is not enforced for webhooks" in (warning.hint or "")


@pytest.mark.parametrize(
    ("url", "proxies"),
    [("http://127.0.0.1:8000", []), ("https://hooks.test", [ip_network("10.0.0.1")])],
)
def test_there_is_no_warning_with_a_declared_proxy_or_without_one(
    settings: Settings, url: str, proxies: list[IPv4Network]
) -> None:
    settings.PUBLIC_URL, settings.TRUSTED_PROXIES = url, proxies

    assert check_trusted_proxies() == []
