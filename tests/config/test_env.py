from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import databases, read_database

URL = "postgresql://tickhook@host/tickhook"


def options(query: str = "") -> dict[str, object]:
    read: dict[str, object] = read_database("DATABASE_URL", URL + query)["OPTIONS"]
    return read


def test_no_startup_option_is_sent_that_pgbouncer_rejects() -> None:
    assert "options" not in options()


def test_server_side_cursors_are_not_used() -> None:
    assert read_database("DATABASE_URL", URL)["DISABLE_SERVER_SIDE_CURSORS"]


@pytest.mark.parametrize(
    ("query", "threshold"),
    [
        ("", 5),
        ("?prepare_threshold=none", None),
        ("?prepare_threshold=None", None),
        ("?prepare_threshold=0", 0),
        ("?prepare_threshold=20", 20),
    ],
)
def test_the_threshold_in_the_url_has_priority(
    query: str, threshold: int | None
) -> None:
    assert options(query)["prepare_threshold"] == threshold


def test_other_options_in_the_url_have_priority() -> None:
    query = "?connect_timeout=9&server_side_binding=false&sslmode=require"

    read = options(query)

    assert read == {
        **options(),
        "connect_timeout": 9,
        "server_side_binding": False,
        "sslmode": "require",
    }


@pytest.mark.parametrize("value", ["many", "true", "-1", "1&prepare_threshold=2"])
def test_the_error_for_a_bad_threshold_names_the_variable(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL: prepare"):
        options(f"?sslmode=require&prepare_threshold={value}")


def test_the_clock_has_its_own_connection_only_if_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CLOCK_DATABASE_URL", raising=False)
    assert set(databases()) == {"default"}

    monkeypatch.setenv("CLOCK_DATABASE_URL", URL)

    assert databases()["clock"]["HOST"] == "host"
    assert databases()["clock"]["OPTIONS"]["prepare_threshold"] is None
